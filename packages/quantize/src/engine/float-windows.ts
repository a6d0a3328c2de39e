/** Where the windows of the float model lie, which are not all where it runs on few. */
import type { WindowRange } from '../live-activations.js';

/** Those of the indices that lie in a range. */
export function windowsWithin(windows: readonly number[], { first, count }: WindowRange): readonly number[] {
  return windows.filter((index) => index >= first && index < first + count);
}

/** Where those within `range` lie in a stream of them alone; undefined where there are none. @param windows rising */
export function floatRange(windows: readonly number[], range: WindowRange): WindowRange | undefined {
  const inside = windowsWithin(windows, range);
  return inside.length === 0 ? undefined : { first: windows.indexOf(inside[0] as number), count: inside.length };
}
