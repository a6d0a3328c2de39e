/** Factors of the input channels for layers that read one input, judged by rounding to nearest on scales of min-max. */
import { type AwqFactors, type Compute, type LayerWeight, awq, dequantize, lpbqGrid, outputLoss } from '@tundish/quantize/techniques';

/** @param x inputs [tokens, k] @param gram of tokens that x does not hold, X'X / tokens */
export function smoothingOf(compute: Compute, layers: readonly LayerWeight[], x: Float32Array, gram: Float32Array): Promise<AwqFactors> {
  const k = Math.sqrt(gram.length);
  const magnitudes = new Float32Array(k);
  x.forEach((value, i) => { magnitudes[i % k] = (magnitudes[i % k] as number) + (Math.abs(value) * k) / x.length; });
  const { solvers } = compute.kernels;
  const round = (weight: LayerWeight): Float32Array => {
    const grid = lpbqGrid(solvers.searchLpbq({ ...weight, block: 32, gram: undefined, factors: new Float32Array() }), k);
    return dequantize(compute, solvers.roundToGrid(weight, grid), grid);
  };
  return awq(layers, { points: 20, magnitudes, loss: ({ w, n }) => outputLoss(compute, w, gram, n, k), round });
}
