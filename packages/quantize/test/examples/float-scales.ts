/** Float scales of blocks that are best under the inputs, and codes to nearest on them. */
import { type Compute, type LayerWeight, minMaxGrid, searchRangeGrid } from '@tundish/quantize/techniques';

export function searchFloatScales(compute: Compute, weight: LayerWeight, gram: Float32Array) {
  const range = { bits: 4, block: 32 } as const;
  const grid = searchRangeGrid(compute, weight, { ...range, factors: 9, gram, weighting: 'blocks' });
  return { minMax: minMaxGrid(compute, weight, range), grid, codes: compute.kernels.solvers.roundToGrid(weight, grid) };
}
