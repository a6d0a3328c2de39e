/** Brings the lock of a model in step with its recipe, or refuses to. */
import { readFile } from 'node:fs/promises';
import type { Reporter } from '@tundish/diagnostics';
import { type Lock, encodeLock } from '@tundish/recipe/lock';
import { modelLayout, resolveLock } from '@tundish/stages/lock';
import { writeFileAtomic } from '@tundish/store';
import { cacheRootOf, hubAccess, hubCacheOf, remoteCacheWordsOf } from '../environment.js';
import { cliError } from '../errors.js';
import { toolchainVersion } from '../toolchains.js';

export interface RefreshedLockRequest {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  /** A lock that the recipe has left behind is an error, not rewritten. */
  readonly frozen: boolean;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** @throws CLI_LOCK_STALE, and the errors of recipes and checkpoints */
export async function refreshedLock({ workspaceRoot, modelRoot, frozen, reporter, signal }: RefreshedLockRequest): Promise<Lock> {
  const path = modelLayout(workspaceRoot, modelRoot).lock;
  const onDisk = await readFile(path).catch(() => undefined);
  const lock = await resolveLock({
    workspaceRoot, modelRoot, reporter, signal,
    cacheRoot: cacheRootOf(workspaceRoot),
    hubCache: hubCacheOf(),
    hub: hubAccess(),
    toolchainVersion,
    ...(frozen || remoteCacheWordsOf() !== undefined ? { standIn: await standInAt(path, onDisk) } : {}),
  });
  const bytes = Buffer.from(encodeLock(lock));
  if (onDisk?.equals(bytes) === true) return lock;
  if (frozen) throw cliError('CLI_LOCK_STALE', { what: 'recipe.lock.json does not match its recipe, checkpoint or tools', evidence: { path }, fix: 'build without --frozen-lock, and commit the lock' });
  await writeFileAtomic(path, bytes);
  reporter.info(`wrote ${path}`);
  return lock;
}

/** The lock that stands for files which are not on this machine; undefined where there is none that this version reads. */
export async function standInAt(path: string, bytes: Buffer | undefined): Promise<Lock | undefined> {
  const { parseLock } = await import('@tundish/recipe/parse-lock');
  try {
    return bytes === undefined ? undefined : parseLock(bytes, path);
  } catch {
    // It is written anew, from the files themselves.
    return undefined;
  }
}
