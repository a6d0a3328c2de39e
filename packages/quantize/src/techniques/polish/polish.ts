/** Coordinate-descent polishing: codes move one by one to where the layer's output error is least. */
import type { ScaleGrid } from '@tundish/native';
import type { Compute, LayerWeight } from '../weight-matrix.js';

/**
 * Changes `codes` in place. tr((Q - W) H (Q - W)') never rises. Needs no factor, so it cannot fail numerically.
 *
 * @param weight the target: the weight, or a corrected one
 */
export function polish({ kernels, threads }: Compute, { w, n, k }: LayerWeight, grid: ScaleGrid, gram: Float32Array, codes: Int8Array, sweeps: number): void {
  kernels.solvers.descend({ target: w, n, k, grid, gram, codes, sweeps, threads });
}
