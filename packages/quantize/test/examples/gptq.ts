/** GPTQ on scales that are there already; to nearest where the inputs say nothing. */
import type { ScaleGrid } from '@tundish/native';
import { type Compute, type LayerWeight, factorGram, gptq, stepOrder } from '@tundish/quantize/techniques';

export function roundWithGptq(compute: Compute, weight: LayerWeight, grid: ScaleGrid, gram: Float32Array): Int8Array {
  const factor = factorGram(compute, gram, stepOrder(gram, weight.k, true), 0.01);
  return factor === undefined ? compute.kernels.solvers.roundToGrid(weight, grid) : gptq(compute, weight, grid, factor);
}
