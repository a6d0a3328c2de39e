/** Scales that are best on the final grid, and codes to nearest on them. */
import { type Compute, type LayerWeight, lpbqGrid, searchLpbqGrid } from '@tundish/quantize/techniques';

export function searchAndRound(compute: Compute, weight: LayerWeight, gram: Float32Array) {
  const scales = searchLpbqGrid(compute, weight, { blockSize: 32, factors: 9, gram, weighting: 'blocks' });
  const grid = lpbqGrid(scales, weight.k);
  return { scales, grid, codes: compute.kernels.solvers.roundToGrid(weight, grid) };
}
