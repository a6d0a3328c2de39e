/** Codes to nearest, polished by two sweeps: a rounding with feedback that needs no factor. */
import type { ScaleGrid } from '@tundish/native';
import { type Compute, type LayerWeight, polish } from '@tundish/quantize/techniques';

export function roundAndPolish(compute: Compute, weight: LayerWeight, grid: ScaleGrid, gram: Float32Array): Int8Array {
  const codes = compute.kernels.solvers.roundToGrid(weight, grid);
  polish(compute, weight, grid, gram, codes, 2);
  return codes;
}
