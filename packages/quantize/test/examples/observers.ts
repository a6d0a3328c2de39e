/** Encodings of a stream of activations, seen window by window. */
import { HistogramObserver, asymmetricUnsigned, percentileRange, rangeObserver, sqnrRange } from '@tundish/quantize/observers';

/** @param windows float32 values of one activation, a window each */
export function encodeStream(windows: Iterable<Float32Array>) {
  const extremes = rangeObserver('gate', { method: 'minmax' });
  const histogram = new HistogramObserver('gate');
  for (const window of windows) {
    extremes.add(window);
    histogram.add(window);
  }
  const grid = { bits: 8, symmetric: false } as const;
  return {
    minMax: asymmetricUnsigned(extremes.range(grid), 8),
    percentile: asymmetricUnsigned(percentileRange(histogram.histogram, 99.9), 8),
    sqnr: asymmetricUnsigned(sqnrRange(histogram.histogram, grid), 8),
  };
}
