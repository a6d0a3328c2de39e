/** The contract of the steps of learned weights: what block-wise reconstruction does to a weight in each iteration. */
import type { ScaleGrid, WeightMatrix } from './solvers.js';

/**
 * A weight under AdaScale (AIMET 2.42): scale = (e^gamma max - e^beta min) / (2^bits - 1) a block, weight W / e^s2 / e^s3.
 * Arrays of parameters hold the values, then the first and the second moments of Adam. All zero is min-max.
 */
export interface AdaScaleLayer extends WeightMatrix {
  /** Divides k; k itself for one scale a row. */
  readonly block: number;
  /** 2 to 8. */
  readonly bits: number;
  /** fp32 [2, n, k / block]: smallest values of the grid, then largest ones. */
  readonly range: Float32Array;
  /** fp32 [3, n, k / block]. */
  readonly beta: Float32Array;
  /** fp32 [3, n, k / block]. */
  readonly gamma: Float32Array;
  /** fp32 [3, n, k]. */
  readonly s2: Float32Array;
  /** fp32 [3, n]. */
  readonly s3: Float32Array;
}

/** Adam with decays 0.9 and 0.999 and epsilon 1e-8, as torch.optim.Adam computes it. */
export interface AdamRates {
  /** Learning rate of beta and gamma. */
  readonly range: number;
  /** Learning rate of s2 and s3. */
  readonly weight: number;
  /** 1 for the first. */
  readonly step: number;
}

/** A weight under SignRound: code = clamp(rint(w / scale + v)). */
export interface SignRoundLayer extends WeightMatrix {
  readonly grid: ScaleGrid;
  /** fp32 [n, k], -1/2..1/2. */
  readonly v: Float32Array;
}

/**
 * Every result is defined to the last bit: it does not depend on the implementation, the instruction set or the threads.
 * Sums over a block have 16 parts by column mod 16, added as a tree; a row adds its blocks in order. Gradients pass where
 * the rounded value is a code (straight-through estimator). Arguments must be finite. Every method throws KERNEL_ARGUMENT
 * when arguments do not fit.
 */
export interface Reconstruction {
  /** Scales of the parameters as they are; not below 2^-23. @returns fp32 [n, k / block] */
  adaScaleGrid(layer: AdaScaleLayer): Float32Array;
  /**
   * W / e^s2 / e^s3 rounded on `scale` [n, k / block], or with `folded` before it is rounded. What is folded, rounded to nearest
   * on `scale`, has the codes of what is not. Writes into `out` [n, k].
   */
  adaScaleValues(layer: AdaScaleLayer, scale: Float32Array, folded: boolean, out: Float32Array): void;
  /** Moves all parameters, each within -1..1, and their moments. @param gradient fp32 [n, k] of the loss in the values on `scale` */
  adaScaleStep(layer: AdaScaleLayer, scale: Float32Array, gradient: Float32Array, rates: AdamRates): void;

  /** Values on the grid. Writes into `out` [n, k]. */
  signRoundValues(layer: SignRoundLayer, out: Float32Array): void;
  /** v -= rate · sign(gradient) where the grid does not saturate, within -1/2..1/2. @param gradient fp32 [n, k] of the loss in the values */
  signRoundStep(layer: SignRoundLayer, gradient: Float32Array, rate: number): void;
}

/** Entry points of the addon and of the TypeScript reference. */
export interface RawReconstruction {
  adaScaleGrid(scale: Float32Array, bits: number, range: Float32Array, beta: Float32Array, gamma: Float32Array, threads: number): void;
  adaScaleValues(
    w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, range: Float32Array, beta: Float32Array, gamma: Float32Array, s2: Float32Array, s3: Float32Array,
    folded: boolean, out: Float32Array, threads: number,
  ): void;
  /** @param slope [n, k / block], overwritten */
  adaScaleStep(
    w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, range: Float32Array, beta: Float32Array, gamma: Float32Array, s2: Float32Array, s3: Float32Array,
    gradient: Float32Array, rangeRate: number, weightRate: number, root: number, slope: Float32Array, threads: number,
  ): void;
  signRoundValues(w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, v: Float32Array, out: Float32Array, threads: number): void;
  signRoundStep(w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, gradient: Float32Array, rate: number, v: Float32Array, threads: number): void;
}
