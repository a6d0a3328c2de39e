/** AWQ: one factor for each input channel, so that the channels with the loudest inputs are rounded most finely. */
import type { LayerWeight } from '../weight-matrix.js';

/** Smallest magnitude that counts, in parts of the largest: a channel that is silent in the text may speak elsewhere. */
const FLOOR = 1e-4;

export interface AwqOptions {
  /** How many exponents are tried: 0, 1/points, ..., (points - 1)/points. */
  readonly points: number;
  /** How loud each input channel is, [k], in any unit: the mean of |x|, or the root of the mean of x². */
  readonly magnitudes: Float32Array;
  /** What errors e [n, k] of a layer cost in its output, |e X|², on the tokens that judge. */
  readonly loss: (e: LayerWeight) => number;
  /**
   * Rounds one of the weights [n, k] whose columns have been multiplied by `factors` [k].
   *
   * @param layer its place among the weights
   * @returns the values of its codes, fp32 [n, k]
   */
  readonly round: (weight: LayerWeight, factors: Float32Array, layer: number) => Float32Array | Promise<Float32Array>;
}

export interface AwqFactors {
  /** 0 where nothing was better than the weights as they are. */
  readonly exponent: number;
  /** Columns of the weights times these, inputs divided by them: fp32 [k], positive; all 1 for exponent 0. */
  readonly factors: Float32Array;
  /** Sum of |E X|² / |W X|² over the layers, E the errors of rounding with these factors: on the tokens that judge. */
  readonly loss: number;
}

/**
 * The exponent of least loss for layers [n, k] that read the same inputs; of equals the smallest.
 * Lin et al., "AWQ: Activation-aware Weight Quantization for LLM Compression and Acceleration", 2023.
 */
export async function awq(weights: readonly LayerWeight[], { points, magnitudes, loss, round }: AwqOptions): Promise<AwqFactors> {
  const sizes = weights.map(loss);
  const lossOf = async (factors: Float32Array): Promise<number> => {
    let sum = 0;
    for (const [i, { w, n, k }] of weights.entries()) {
      const size = sizes[i] as number;
      if (!(size > 0)) continue;
      const values = await round({ w: timesColumns(w, factors), n, k }, factors, i);
      sum += loss({ w: errorsOf(values, factors, w), n, k }) / size;
    }
    return sum;
  };
  let best: AwqFactors | undefined;
  for (let point = 0; point < points; point++) {
    const exponent = point / points;
    const factors = smoothingFactors(magnitudes, exponent);
    const found = { exponent, factors, loss: await lossOf(factors) };
    if (best === undefined || found.loss < best.loss) best = found;
  }
  return best as AwqFactors;
}

/** magnitude^exponent, over the root of the largest times the smallest of them: fp32 [k]. Silent channels count as nearly silent. */
export function smoothingFactors(magnitudes: Float32Array, exponent: number): Float32Array {
  const largest = magnitudes.reduce((most, value) => Math.max(most, value), 0);
  if (largest === 0) return new Float32Array(magnitudes.length).fill(1);
  const powers = Float64Array.from(magnitudes, (value) => Math.max(value / largest, FLOOR) ** exponent);
  const smallest = powers.reduce((least, value) => Math.min(least, value), 1);
  return Float32Array.from(powers, (value) => value / Math.sqrt(smallest));
}

/** w [n, k] with column c times factors[c]. */
export function timesColumns(w: Float32Array, factors: Float32Array): Float32Array {
  const k = factors.length;
  const out = new Float32Array(w.length);
  for (let start = 0; start < w.length; start += k) for (let c = 0; c < k; c++) out[start + c] = (w[start + c] as number) * (factors[c] as number);
  return out;
}

/** What rounding changed in the weight itself: values / factors - w, column by column. */
function errorsOf(values: Float32Array, factors: Float32Array, w: Float32Array): Float32Array {
  const k = factors.length;
  const errors = new Float32Array(w.length);
  for (let start = 0; start < w.length; start += k) for (let c = 0; c < k; c++) errors[start + c] = (values[start + c] as number) / (factors[c] as number) - (w[start + c] as number);
  return errors;
}
