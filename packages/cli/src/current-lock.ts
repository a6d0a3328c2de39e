/** The lock that a build would use now: the recipe resolved as `nx run` resolves it, with nothing written. */
import { existsSync, readFileSync } from 'node:fs';
import type { Reporter } from '@tundish/diagnostics';
import { type Lock, encodeLock, lockDifferences } from '@tundish/recipe/lock';
import { modelLayout, resolveLock } from '@tundish/stages/outlook';
import { standInAt } from './build/refreshed-lock.js';
import { cacheRootOf, hubAccess, hubCacheOf, remoteCacheWordsOf } from './environment.js';
import { toolchainVersion } from './toolchains.js';

export interface CurrentLock {
  readonly lock: Lock;
  /** Dotted paths of the fields of recipe.lock.json that a build would write anew; undefined when there is no such file. */
  readonly stale: readonly string[] | undefined;
}

/** A model that has a lock and no recipe is built from the lock. @throws the errors of recipes, checkpoints and locks */
export async function currentLock(workspaceRoot: string, modelRoot: string, reporter: Reporter, signal: AbortSignal): Promise<CurrentLock> {
  const layout = modelLayout(workspaceRoot, modelRoot);
  const bytes = existsSync(layout.lock) ? readFileSync(layout.lock) : undefined;
  if (bytes !== undefined && !existsSync(layout.recipe)) return { lock: await parsed(bytes, layout.lock), stale: [] };
  const lock = await resolveLock({
    workspaceRoot, modelRoot, reporter, signal, readOnly: true,
    cacheRoot: cacheRootOf(workspaceRoot),
    hubCache: hubCacheOf(),
    hub: { ...hubAccess(), offline: true },
    toolchainVersion,
    ...(remoteCacheWordsOf() === undefined ? {} : { standIn: await standInAt(layout.lock, bytes) }),
  });
  return { lock, stale: bytes === undefined ? undefined : await differences(bytes, layout.lock, lock) };
}

async function differences(bytes: Buffer, path: string, lock: Lock): Promise<string[]> {
  // The usual case, which needs no parser.
  return bytes.equals(encodeLock(lock)) ? [] : lockDifferences(await parsed(bytes, path), lock).map((difference) => difference.path);
}

async function parsed(bytes: Buffer, path: string): Promise<Lock> {
  const { parseLock } = await import('@tundish/recipe/parse-lock');
  return parseLock(bytes, path);
}
