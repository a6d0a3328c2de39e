/** Observers of activations one by one, for programs that calibrate streams of their own. */
export { asymmetricUnsigned, symmetricUnsigned, unite } from '../calibration/encoding-rules.js';
export type { Range } from '../calibration/encoding-rules.js';
export { HistogramObserver, mergeHistograms } from './histogram.js';
export type { Histogram, HistogramOptions } from './histogram.js';
export { mseRange, sqnrRange } from './least-noise.js';
export type { TargetGrid } from './least-noise.js';
export { minMaxRange } from './min-max.js';
export { rangeObserver } from './observer.js';
export type { RangeObserver } from './observer.js';
export { percentileRange } from './percentile.js';
