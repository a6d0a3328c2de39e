/** Turns what was seen of a value into the range of its encoding, as a recipe says. */
import type { ActivationObserver } from '@tundish/recipe/calibration';
import { type Range, unite } from '../calibration/encoding-rules.js';
import { HistogramObserver } from './histogram.js';
import { type TargetGrid, mseRange, sqnrRange } from './least-noise.js';
import { minMaxRange } from './min-max.js';
import { percentileRange } from './percentile.js';

/** Sees a stream in pieces, then says the range for a grid. */
export interface RangeObserver {
  /** @throws QUANTIZE_RANGE_NOT_FINITE when the observer is no min-max and the piece has NaN or infinities */
  add(data: Float32Array): void;
  range(grid: TargetGrid): Range;
}

/** @param name what is observed, for messages */
export function rangeObserver(name: string, observer: ActivationObserver): RangeObserver {
  if (observer.method === 'minmax') return minMaxObserver();
  const histogram = new HistogramObserver(name);
  return { add: (data) => histogram.add(data), range: (grid) => rangeFor(histogram, observer, grid) };
}

function minMaxObserver(): RangeObserver {
  let seen: Range = { min: Infinity, max: -Infinity };
  return { add: (data) => { seen = unite(seen, minMaxRange(data)); }, range: () => seen };
}

function rangeFor({ histogram }: HistogramObserver, observer: Exclude<ActivationObserver, { readonly method: 'minmax' }>, grid: TargetGrid): Range {
  switch (observer.method) {
    case 'percentile':
      return percentileRange(histogram, observer.percentile);
    case 'sqnr':
      return sqnrRange(histogram, grid, observer.gamma);
    case 'mse':
      return mseRange(histogram, grid);
  }
}
