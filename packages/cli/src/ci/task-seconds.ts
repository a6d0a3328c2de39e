/** How long each task of a model takes: as it took here, else estimated from the lock. */
import { existsSync, readFileSync } from 'node:fs';
import { modelLayout, unitCosts } from '@tundish/stages/outlook';
import { taskOf } from '../build/summary.js';
import { cacheRootOf } from '../environment.js';
import type { BuiltModel } from './task-graph.js';

/** Of a task that no lock knows: the process of Nx, and a table to print. */
export const OTHER_SECONDS = 1;

/** Where the times of a plan are from; the least certain one that was used. */
export type TimeBasis = 'recorded' | 'estimated';

export interface TaskSeconds {
  readonly basis: TimeBasis;
  /** By id of the task. */
  readonly seconds: ReadonlyMap<string, number>;
}

/** By the lock as it lies on disk: a model without one has no times. @throws the errors of a lock that cannot be read */
export async function taskSeconds(workspaceRoot: string, models: readonly BuiltModel[]): Promise<TaskSeconds> {
  const { parseLock } = await import('@tundish/recipe/parse-lock');
  const seconds = new Map<string, number>();
  let basis: TimeBasis = 'recorded';
  for (const { name, root } of models) {
    const layout = modelLayout(workspaceRoot, root);
    if (!existsSync(layout.lock)) continue;
    const lock = parseLock(readFileSync(layout.lock), layout.lock);
    for (const { unit, prediction } of unitCosts(lock, cacheRootOf(workspaceRoot), layout.model)) {
      // arcl makes all pairs in one task.
      const id = taskOf(name, lock, unit);
      seconds.set(id, (seconds.get(id) ?? 0) + prediction.seconds);
      if (prediction.basis === 'checkpoint size') basis = 'estimated';
    }
  }
  return { basis: seconds.size === 0 ? 'estimated' : basis, seconds };
}
