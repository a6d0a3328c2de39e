/**
 * Damped target correction: before rounding, the weight moves toward the one whose products on the quantized model's inputs
 * are nearest to the float model's outputs. |Q X - W Xf|² differs from |(Q - W*) X|² by a constant, W* = W Xf X' (X X')^-1,
 * so plain rounding of W* serves the true objective; all of the way overfits, so held-out tokens decide how far.
 */
import { type GramFactor, solveDamped } from '../gptq/factor.js';
import { type Compute, type LayerWeight, difference, dot, outputLoss, timesSquare } from '../weight-matrix.js';

/** What a layer should give, seen from its inputs: one part of the calibration tokens. */
export interface ReferenceStatistics {
  /** fp32 [k, k] X'X / tokens of the inputs that the quantized model gives. */
  readonly gram: Float32Array;
  /** fp32 [n, k] Yf'X / tokens, Yf the float model's outputs without bias. */
  readonly reference: Float32Array;
}

/** Yf'X - W X'X, the gradient of the loss at W: fp32 [n, k]. */
export function residualProducts(compute: Compute, { w, n, k }: LayerWeight, { gram, reference }: ReferenceStatistics): Float32Array {
  const products = timesSquare(compute, w, gram, n, k);
  return difference(compute, reference, products, products);
}

/** W* - W under the damping of the factor: fp32 [n, k]. */
export function correctionOf(compute: Compute, weight: LayerWeight, factor: GramFactor, statistics: ReferenceStatistics): Float32Array {
  return solveDamped(compute, factor, residualProducts(compute, weight, statistics));
}

/** The part of a correction, 0 to 1, that is best on tokens it was not made from: the minimum of a parabola. */
export function bestPart(compute: Compute, weight: LayerWeight, correction: Float32Array, heldOut: ReferenceStatistics): number {
  const descent = dot(correction, residualProducts(compute, weight, heldOut));
  const curvature = outputLoss(compute, correction, heldOut.gram, weight.n, weight.k);
  return curvature > 0 ? Math.min(Math.max(descent / curvature, 0), 1) : 0;
}
