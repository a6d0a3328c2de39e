/** Which calibration windows the float model runs on: all, or a few where their mean difference is all that is learned from it. */
import { type Technique, floatEvery } from '@tundish/recipe/technique';
import type { WindowRange } from '../live-activations.js';
import { isHeldOut } from './held-out.js';

/** Indices of those of `count` windows, rising; none that is held out where they are not all, for nothing is judged by them then. */
export function floatWindows(technique: Technique, count: number): readonly number[] {
  const every = floatEvery(technique, count);
  const all = Array.from({ length: count }, (_, index) => index);
  return every === 1 ? all : all.filter((index) => index % every === 0 && !isHeldOut(index, count));
}

/** Those of the indices that lie in a range. */
export function windowsWithin(windows: readonly number[], { first, count }: WindowRange): readonly number[] {
  return windows.filter((index) => index >= first && index < first + count);
}

/** Where those within `range` lie in a stream of them alone; undefined where there are none. @param windows rising */
export function floatRange(windows: readonly number[], range: WindowRange): WindowRange | undefined {
  const inside = windowsWithin(windows, range);
  return inside.length === 0 ? undefined : { first: windows.indexOf(inside[0] as number), count: inside.length };
}
