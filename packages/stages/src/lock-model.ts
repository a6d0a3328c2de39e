/** Brings recipe.lock.json up to date, as `nx run` does before its tasks. */
import { readFile } from 'node:fs/promises';
import { type Lock, encodeLock } from '@tundish/recipe/lock';
import { writeFileAtomic } from '@tundish/store';
import { modelLayout } from './layout.js';
import { type ResolveLockRequest, resolveLock } from './resolve-lock.js';

/**
 * Resolves the recipe of a model and writes its lock, unless that is what it says already.
 *
 * @throws the errors of `resolveLock`; the lock is as it was then
 */
export async function lockModel(request: ResolveLockRequest): Promise<Lock> {
  const lock = await resolveLock(request);
  const { lock: path } = modelLayout(request.workspaceRoot, request.modelRoot);
  const bytes = Buffer.from(encodeLock(lock));
  const onDisk = await readFile(path).catch(() => undefined);
  if (onDisk === undefined || !bytes.equals(onDisk)) await writeFileAtomic(path, bytes);
  return lock;
}
