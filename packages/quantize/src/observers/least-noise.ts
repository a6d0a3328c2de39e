/** Ranges that cost least in rounding and clipping together: the grid search that AIMET calls SQNR, or TF-enhanced. */
import { type Range, SMALLEST_SCALE, roundHalfEven } from '../calibration/encoding-rules.js';
import { type Histogram, binEdge } from './histogram.js';

/** The grid that a range is chosen for. */
export interface TargetGrid {
  readonly bits: 8 | 16;
  /** Zero in the middle of the codes: caches. */
  readonly symmetric: boolean;
}

const { fround } = Math;

/** Of AIMET: steps from 1/16 to 17/16 of the observed one, 21 zero points besides the observed; symmetric 1/100 to 101/100. */
const STEPS = { asymmetric: 17, symmetric: 101 } as const;
const ZERO_POINTS = 21;

/**
 * The range of least expected squared error, where values that are clipped count `gamma` times.
 *
 * @param gamma 3 as AIMET has it; more clips less
 */
export function sqnrRange(histogram: Histogram, grid: TargetGrid, gamma = 3): Range {
  const steps = 2 ** grid.bits - 1;
  const candidates = grid.symmetric ? symmetricCandidates(histogram, steps) : asymmetricCandidates(histogram, steps);
  let best = { scale: 0, offset: 0, noise: Infinity };
  const bins = occupiedBins(histogram);
  for (const { scale, offset } of candidates) {
    const noise = noiseOf(bins, scale, offset, steps, gamma, best.noise);
    if (noise < best.noise) best = { scale, offset, noise };
  }
  const min = fround(best.offset * best.scale);
  return { min, max: fround(min + fround(steps * best.scale)) };
}

/** The range of least expected squared error: `sqnrRange` with gamma 1. */
export function mseRange(histogram: Histogram, grid: TargetGrid): Range {
  return sqnrRange(histogram, grid, 1);
}

interface Candidate {
  readonly scale: number;
  /** Code of the lowest value, <= 0: the range begins at offset * scale. */
  readonly offset: number;
}

function observedRange({ min, max }: Histogram, steps: number): Range {
  const low = Math.min(min, 0);
  return { min: low, max: Math.max(max, 0, fround(low + fround(SMALLEST_SCALE * steps))) };
}

/** All steps with all zero points, cut at the observed range, which is on the grid itself. */
function* asymmetricCandidates(histogram: Histogram, steps: number): Generator<Candidate> {
  const { min, max } = observedRange(histogram, steps);
  const widest = fround(fround(max - min) / steps);
  const observed = roundHalfEven(fround(min / widest));
  const low = fround(widest * observed);
  const high = fround(low + fround(widest * steps));
  const zeroPoints = Math.min(steps + 2, ZERO_POINTS);
  const stride = steps / (zeroPoints - 2);
  const offsets = [...Array.from({ length: Math.ceil((stride + steps) / stride) }, (_, i) => roundHalfEven(fround(-steps + i * stride))), observed];
  for (let part = 1; part <= STEPS.asymmetric; part++) {
    const step = fround(fround(widest * part) / (STEPS.asymmetric - 1));
    for (const offset of offsets) {
      const bottom = Math.max(low, fround(step * offset));
      const top = Math.min(high, fround(fround(step * offset) + fround(step * steps)));
      const scale = Math.max(fround(fround(top - bottom) / steps), SMALLEST_SCALE);
      yield { scale, offset: roundHalfEven(fround(bottom / scale)) };
    }
  }
}

function* symmetricCandidates(histogram: Histogram, steps: number): Generator<Candidate> {
  const { min, max } = observedRange(histogram, steps);
  const widest = fround(fround(2 * Math.max(max, -min)) / steps);
  for (let part = 1; part <= STEPS.symmetric; part++) {
    yield { scale: Math.max(fround(fround(widest * part) / (STEPS.symmetric - 1)), SMALLEST_SCALE), offset: -(steps + 1) / 2 };
  }
}

interface OccupiedBins {
  readonly counts: Float64Array;
  readonly middles: Float32Array;
}

function occupiedBins(histogram: Histogram): OccupiedBins {
  const first = binEdge(histogram, 0);
  const width = fround(binEdge(histogram, 1) - first);
  const middle = fround(first + fround(width / 2));
  const indices = Array.from(histogram.counts.keys()).filter((i) => (histogram.counts[i] as number) > 0);
  return { counts: Float64Array.from(indices, (i) => histogram.counts[i] as number), middles: Float32Array.from(indices, (i) => fround(middle + fround(width * i))) };
}

/** Sum over the bins of their count times the squared error of their middle; ends early above `enough`. */
function noiseOf({ counts, middles }: OccupiedBins, scale: number, offset: number, steps: number, gamma: number, enough: number): number {
  let noise = 0;
  for (let i = 0; i < counts.length && noise < enough; i++) {
    const x = middles[i] as number;
    const code = roundHalfEven(fround(fround(x / scale) - offset));
    const inside = Math.min(Math.max(code, 0), steps);
    const error = fround(fround((inside + offset) * scale) - x);
    noise += fround(fround(error * error) * (counts[i] as number)) * (inside === code ? 1 : gamma);
  }
  return noise;
}
