/** LPBQ scales as AIMET's recipe for ONNX finds them, and codes to nearest on them. */
import { type Compute, type LayerWeight, lpbqGrid, seqMse } from '@tundish/quantize/techniques';

/** @param cross Xf'X / tokens, Xf the float model's inputs */
export function seqMseAndRound(compute: Compute, weight: LayerWeight, gram: Float32Array, cross: Float32Array) {
  const scales = seqMse(compute, weight, { blockSize: 32, candidates: 30, gram, cross, start: 'compressed' });
  const grid = lpbqGrid(scales, weight.k);
  return { scales, grid, codes: compute.kernels.solvers.roundToGrid(weight, grid) };
}
