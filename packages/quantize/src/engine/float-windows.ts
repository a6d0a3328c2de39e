/** Which calibration windows the float model runs on: all, or a few where what is learned from it is the mean of how it differs. */
import { type Technique, floatEvery, judgesByReference } from '@tundish/recipe/technique';
import type { WindowRange } from '../live-activations.js';
import { anyHeldOut, isHeldOut } from './held-out.js';

/** Indices of those of `count` windows, rising. Where they are not all, those that are held out are among them if choices are judged by the float model, and else not. */
export function floatWindows(technique: Technique, count: number): readonly number[] {
  const every = floatEvery(technique, count);
  const all = Array.from({ length: count }, (_, index) => index);
  const judges = judgesByReference(technique);
  if (every === 1 || (judges && !anyHeldOut(count))) return all;
  return all.filter((index) => (isHeldOut(index, count) ? judges : index % every === 0));
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
