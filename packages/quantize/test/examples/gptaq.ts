/** GPTAQ: like GPTQ, with what the inputs lost before this layer. */
import type { ScaleGrid } from '@tundish/native';
import { type Compute, type LayerWeight, factorGram, gptaq, stepOrder } from '@tundish/quantize/techniques';

/** @param cross Xf'X / tokens, Xf the float model's inputs */
export function roundWithGptaq(compute: Compute, weight: LayerWeight, grid: ScaleGrid, gram: Float32Array, cross: Float32Array): Int8Array {
  const factor = factorGram(compute, gram, stepOrder(gram, weight.k, true), 0.01);
  if (factor === undefined) return compute.kernels.solvers.roundToGrid(weight, grid);
  const difference = cross.map((value, i) => value - (gram[i] as number));
  return gptaq(compute, weight, grid, factor, difference, 0.25);
}
