/** A range that leaves out the outer tails of what was seen. */
import type { Range } from '../calibration/encoding-rules.js';
import { type Histogram, binEdge } from './histogram.js';

const { fround } = Math;

/**
 * The range between the quantiles 1 - percentile/100 and percentile/100, at lower edges of bins; 100 is the whole range.
 * As the percentile analyzer of AIMET 2.42.
 *
 * @param percentile 50 to 100
 */
export function percentileRange(histogram: Histogram, percentile: number): Range {
  const { counts } = histogram;
  if (percentile === 100) return { min: binEdge(histogram, 0), max: binEdge(histogram, counts.length) };
  const total = counts.reduce((sum, value) => sum + value, 0);
  const quantile = (threshold: number): number => {
    let sum = 0;
    const index = counts.findIndex((value) => (sum += value) >= threshold);
    return binEdge(histogram, index < 0 ? counts.length : index);
  };
  return { min: quantile(fround(total * fround(1 - percentile / 100))), max: quantile(fround(fround(total * fround(percentile)) / 100)) };
}
