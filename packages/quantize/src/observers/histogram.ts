/** A histogram of a stream that grows with it, as AIMET 2.42 keeps one: one pass, and memory for the bins alone. */
import { printable } from '@tundish/diagnostics';
import { type Range, roundHalfEven, unite } from '../calibration/encoding-rules.js';
import { quantizeError } from '../errors.js';
import { minMaxRange } from './min-max.js';

/** Equal bins over [min, max]; every step of their arithmetic is rounded to float32, as in AIMET. */
export interface Histogram extends Range {
  /** Values in each bin; those beyond the ends count in the first and the last. */
  readonly counts: Float64Array;
  /** Where the bins begin and end: [min, max], or half a unit beyond it on each side where both are one value. */
  readonly low: number;
  readonly high: number;
}

export interface HistogramOptions {
  /** Bins; 2048 when absent. */
  readonly bins?: number;
  /**
   * How far the range may grow beyond that of the first piece, on each side in halves of its width; values outside then count
   * in the outer bins. Unlimited when absent; TF-enhanced has 3.
   */
  readonly growthLimit?: number;
}

const { fround } = Math;
const BINS = 2048;

/** Sees a stream in pieces. The first piece sets the bins; a later one that is wider makes them wider. */
export class HistogramObserver {
  readonly #bins: number;
  readonly #growthLimit: number;
  #limits: Range = { min: -Infinity, max: Infinity };
  #seen: Histogram | undefined;

  /** @param name what is observed, for messages */
  constructor(private readonly name: string, { bins = BINS, growthLimit = Infinity }: HistogramOptions = {}) {
    this.#bins = bins;
    this.#growthLimit = growthLimit;
  }

  /** @throws QUANTIZE_RANGE_NOT_FINITE for NaN and infinities, which no grid can hold */
  add(data: Float32Array): void {
    if (data.length === 0) return;
    const range = this.#rangeOf(data);
    const before = this.#seen;
    if (before === undefined) {
      const first = emptyHistogram(range, this.#bins);
      const end = upperEnd(first);
      count(data, first.counts, first.low, end);
      const reach = this.#growthLimit === Infinity ? Infinity : fround(fround(fround(end - first.low) * this.#growthLimit) / 2);
      this.#limits = { min: fround(first.low - reach), max: fround(end + reach) };
      this.#seen = first;
      return;
    }
    const grown = { min: clamp(range.min, this.#limits.min, before.low), max: clamp(range.max, upperEnd(before), this.#limits.max) };
    this.#seen = rebinned(before, grown);
    count(data, this.#seen.counts, grown.min, grown.max);
  }

  /** What was seen so far. @throws QUANTIZE_RANGE_NOT_FINITE before anything was */
  get histogram(): Histogram {
    if (this.#seen !== undefined) return this.#seen;
    throw quantizeError('QUANTIZE_RANGE_NOT_FINITE', { what: `nothing of ${printable(this.name)} was observed`, why: 'a range is chosen from what was seen' });
  }

  #rangeOf(data: Float32Array): Range {
    const range = minMaxRange(data);
    const span = range.max - range.min;
    // NaN and infinities leave no finite span; the first of them is named.
    if (!Number.isFinite(fround(span))) throw this.#notFinite(data.find((value) => !Number.isFinite(value)) ?? span);
    return range;
  }

  #notFinite(value: number): Error {
    return quantizeError('QUANTIZE_RANGE_NOT_FINITE', {
      what: `${printable(this.name)} holds ${value} on the calibration text`,
      why: 'the checkpoint overflows, or its weights are damaged',
      fix: 'evaluate the checkpoint after load; a healthy one has finite activations',
    });
  }
}

/**
 * The histogram of both streams together, over the range of both: bins that a wider grid cuts are shared out by their width.
 * Which one is named first makes no difference.
 *
 * @throws RangeError for different numbers of bins
 */
export function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  if (a.counts.length !== b.counts.length) throw new RangeError(`histograms of ${a.counts.length} and ${b.counts.length} bins cannot be merged`);
  const range = unite({ min: a.low, max: upperEnd(a) }, { min: b.low, max: upperEnd(b) });
  const [left, right] = [rebinned(a, range), rebinned(b, range)];
  return { ...left, counts: left.counts.map((value, i) => value + (right.counts[i] as number)) };
}

/** Lower edge of bin `index`; index = bins is the upper end, as float32 steps reach it. */
export function binEdge({ counts, low, high }: Histogram, index: number): number {
  const step = fround(fround(high - low) / counts.length);
  return fround(fround(index * step) + low);
}

function upperEnd(histogram: Histogram): number {
  return binEdge(histogram, histogram.counts.length);
}

function emptyHistogram({ min, max }: Range, bins: number): Histogram {
  const [low, high] = min === max ? [fround(min - 0.5), fround(max + 0.5)] : [min, max];
  return { min, max, low, high, counts: new Float64Array(bins) };
}

/** The position of a value is computed as torch.histc does. */
function count(data: Float32Array, counts: Float64Array, low: number, high: number): void {
  const bins = counts.length;
  const last = bins - 1;
  const width = fround(high - low);
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    const at = value <= low ? 0 : value >= high ? last : fround(fround(fround(value - low) * bins) / width) | 0;
    const bin = at < last ? at : last;
    counts[bin] = (counts[bin] as number) + 1;
  }
}

/** `before` over a range that holds its own: a bin goes to the one that its lower edge lies in, and what reaches beyond that to the next. */
function rebinned(before: Histogram, { min, max }: Range): Histogram {
  if (min === before.min && max === before.max) return before;
  const bins = before.counts.length;
  const width = fround(fround(max - min) / bins);
  const sourceWidth = fround(binEdge(before, 1) - binEdge(before, 0));
  const counts = new Float64Array(bins);
  // Steps of a range that float32 hardly resolves may be 0: what is then no number belongs to the last bin, and a bin is not cut.
  const binOf = (value: number): number => {
    const position = fround(fround(value - min) / width);
    return position < bins - 1 ? Math.trunc(position) : bins - 1;
  };
  before.counts.forEach((total, i) => {
    if (total === 0) return;
    const start = binEdge(before, i);
    const target = binOf(start);
    const end = fround(min + fround(width * (target + 1)));
    const kept = sourceWidth > 0 ? clamp(roundHalfEven(fround(fround(fround(end - start) / sourceWidth) * total)), 0, total) : total;
    counts[target] = (counts[target] as number) + kept;
    const next = binOf(fround(start + width));
    if (kept < total) counts[next] = (counts[next] as number) + total - kept;
  });
  return { min, max, low: min, high: max, counts };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
