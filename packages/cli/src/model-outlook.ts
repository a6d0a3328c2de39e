/** What a build of a model would do now, for `plan` and `why`. */
import { Pipeline, type UnitOutlook, buildOutlook } from '@tundish/stages/outlook';
import { cacheRootOf, hubAccess, hubCacheOf } from './environment.js';
import { type CurrentLock, currentLock } from './current-lock.js';
import { type Io, ioReporter } from './io.js';
import { adapters } from './toolchains.js';

export interface ModelOutlook extends CurrentLock {
  readonly units: readonly UnitOutlook[];
}

export async function modelOutlook(workspaceRoot: string, modelRoot: string, signal: AbortSignal, io: Io): Promise<ModelOutlook> {
  const reporter = ioReporter(io);
  try {
    const current = await currentLock(workspaceRoot, modelRoot, reporter, signal);
    const pipeline = Pipeline.withLock({
      workspaceRoot, modelRoot, adapters, reporter, signal,
      cacheRoot: cacheRootOf(workspaceRoot), hubCache: hubCacheOf(), hub: { ...hubAccess(), offline: true }, threads: 1, inputsInPlace: false,
    }, current.lock);
    return { ...current, units: await buildOutlook(pipeline) };
  } finally {
    reporter.close();
  }
}
