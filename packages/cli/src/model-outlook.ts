/** What a build of a model would do now, for `plan` and `why`. */
import type { Lock } from '@tundish/recipe/lock';
import { Pipeline, type UnitOutlook, buildOutlook, unitOutlooks } from '@tundish/stages/outlook';
import type { Unit } from '@tundish/stages/workspace';
import { cacheRootOf, hubAccess, hubCacheOf } from './environment.js';
import { type CurrentLock, currentLock } from './current-lock.js';
import { type Io, ioReporter } from './io.js';
import { withRemote } from './remote-results.js';
import { adapters } from './toolchains.js';

export interface ModelOutlook extends CurrentLock {
  readonly units: readonly UnitOutlook[];
}

/** @param asked the units that are meant, of all that the lock has: each is compared with its last build; absent: all, those that are cached uncompared */
export async function modelOutlook(workspaceRoot: string, modelRoot: string, signal: AbortSignal, io: Io, asked?: (lock: Lock) => readonly Unit[]): Promise<ModelOutlook> {
  const reporter = ioReporter(io);
  try {
    const current = await currentLock(workspaceRoot, modelRoot, reporter, signal);
    const pipeline = Pipeline.withLock({
      workspaceRoot, modelRoot, adapters, reporter, signal,
      cacheRoot: cacheRootOf(workspaceRoot), hubCache: hubCacheOf(), hub: { ...hubAccess(), offline: true }, threads: 1, inputsInPlace: false,
      ...(await withRemote({ reporter, signal, readOnly: true })),
    }, current.lock);
    return { ...current, units: await (asked === undefined ? buildOutlook(pipeline) : unitOutlooks(pipeline, asked(current.lock))) };
  } finally {
    reporter.close();
  }
}
