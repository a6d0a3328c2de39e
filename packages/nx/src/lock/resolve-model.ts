/** Resolves a recipe to its lock, as a value: a recipe with a fault must not stop Nx for other projects. */
import { streamReporter } from '@tundish/cli/progress-reporter';
import { toolchainVersion } from '@tundish/cli/toolchains';
import type { Lock } from '@tundish/recipe/lock';
import { resolveLock } from '@tundish/stages/lock';
import { cacheRootOf, hubAccess, hubCacheOf, inContinuousIntegration, remoteCacheWordsOf } from '../environment.js';
import type { ModelFolder } from '../model-folders.js';
import { readLockFile } from './lock-file.js';

export type Resolution = { readonly lock: Lock; readonly problem?: never } | { readonly problem: Error; readonly lock?: never };

/**
 * In CI, and where there is a remote cache, the lock on disk stands for files that are not on this machine.
 *
 * @param online whether a checkpoint of the hub may be downloaded; else it must be there already
 * @returns the lock as it should be, not as it is on disk
 */
export async function resolveModel(workspaceRoot: string, model: ModelFolder, online: boolean): Promise<Resolution> {
  const hub = hubAccess();
  // In the processes that Nx keeps for plugins this is a pipe to the user's stderr, or the log of the daemon.
  const reporter = streamReporter(process.stderr);
  try {
    const lock = await resolveLock({
      workspaceRoot,
      modelRoot: model.root,
      cacheRoot: cacheRootOf(workspaceRoot),
      hubCache: hubCacheOf(),
      toolchainVersion,
      hub: online ? hub : { ...hub, offline: true },
      reporter,
      standIn: inContinuousIntegration() || remoteCacheWordsOf() !== undefined ? readLockFile(workspaceRoot, model.root)?.lock : undefined,
    });
    return { lock };
  } catch (error) {
    return { problem: error instanceof Error ? error : new Error(String(error)) };
  } finally {
    reporter.close();
  }
}
