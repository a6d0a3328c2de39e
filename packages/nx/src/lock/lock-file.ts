/** Reads recipe.lock.json without the schema library: executors and inference only look at its plan. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOCK_SCHEMA, type Lock } from '@tundish/recipe/lock';
import { nxError } from '../errors.js';
import { LOCK_FILE } from '../model-folders.js';

/** The lock as it lies on disk; undefined when there is none, or when it is no lock: it is then made anew. */
export function readLockFile(workspaceRoot: string, modelRoot: string): { readonly bytes: Buffer; readonly lock: Lock } | undefined {
  try {
    const bytes = readFileSync(join(workspaceRoot, modelRoot, LOCK_FILE));
    const lock = JSON.parse(bytes.toString('utf8')) as Partial<Lock> | null;
    const plan = lock?.schema === LOCK_SCHEMA && typeof lock.cells === 'object' && typeof lock.parts === 'object';
    return plan ? { bytes, lock: lock as Lock } : undefined;
  } catch {
    return undefined;
  }
}

/** As `readLockFile`. @throws NX_LOCK_MISSING */
export function requireLock(workspaceRoot: string, modelRoot: string): Lock {
  const found = readLockFile(workspaceRoot, modelRoot);
  if (found !== undefined) return found.lock;
  throw nxError('NX_LOCK_MISSING', {
    what: `${modelRoot} has no readable ${LOCK_FILE}`,
    evidence: { path: `${modelRoot}/${LOCK_FILE}` },
    fix: 'run: npx nx g @tundish/nx:lock',
  });
}
