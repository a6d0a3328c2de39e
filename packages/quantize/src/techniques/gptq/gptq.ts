/** GPTQ (Frantar et al. 2022) on fixed scales, in the form without an inverse. */
import type { ScaleGrid } from '@tundish/native';
import type { Compute, LayerWeight } from '../weight-matrix.js';
import { type GramFactor, feedbackOf } from './factor.js';

/**
 * Rounds column after column in the order of the factor; what a rounding costs in the layer's output is made good by the
 * columns that follow. With H = I this is rounding to nearest, to the bit. Scales are fixed beforehand, so the order is
 * free: LPBQ blocks stay where they are.
 *
 * @returns int8 codes [n, k]
 */
export function gptq(compute: Compute, { w, n, k }: LayerWeight, grid: ScaleGrid, factor: GramFactor): Int8Array {
  return compute.kernels.solvers.roundWithFeedback({ w, n, k, grid, order: factor.order, feedback: feedbackOf(compute, factor), errorFrom: 'weight', threads: compute.threads });
}
