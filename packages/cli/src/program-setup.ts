/** What a program needs to build models with the toolchains, the cache and the hub access of the command line. */
import { availableParallelism } from 'node:os';
import { silentReporter } from '@tundish/diagnostics';
import type { PipelineRequest, ResolveLockRequest } from '@tundish/stages';
import { cacheRootOf, hubAccess, hubCacheOf } from './environment.js';
import { adapters, toolchainVersion } from './toolchains.js';

/** All of a request but the model. */
export type ProgramSetup = Omit<PipelineRequest & ResolveLockRequest, 'modelRoot' | 'inputsInPlace'>;

/**
 * Spread into the requests of `lockModel`, `buildModel` and `runStage`; what is given beside it wins. The cache is that of Nx and
 * `tundish` in the same workspace, so each finds what the others made. Reads TUNDISH_CACHE_ROOT, HF_HOME, HF_TOKEN and their kin.
 *
 * @param workspaceRoot absolute
 */
export function programSetup(workspaceRoot: string): ProgramSetup {
  return {
    workspaceRoot,
    cacheRoot: cacheRootOf(workspaceRoot),
    hubCache: hubCacheOf(),
    hub: hubAccess(),
    adapters,
    toolchainVersion,
    reporter: silentReporter,
    signal: new AbortController().signal,
    threads: availableParallelism(),
  };
}
