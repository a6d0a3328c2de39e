/** SeqMSE of AIMET 2.42: each range shrinks to the part of its min-max range that the layer's output likes best. */
import { type LpbqScales, type ScaleGrid, candidateScale } from '@tundish/native';
import { releasing, takeFloats } from '../../float-stack.js';
import { compressScales, lpbqGrid } from '../../lpbq/compress-scales.js';
import { leastLoss, minMaxGrid } from '../range-grid/range-grid.js';
import { type Compute, type LayerWeight, diagonalBlocks, difference, dot, timesSquare } from '../weight-matrix.js';

export interface SeqMseOptions {
  /** Parts of the range that are tried: 1/C, 2/C, ..., 1. */
  readonly candidates: number;
  /** fp32 [k, k] X'X / tokens of the inputs that the quantized model gives; of scales of blocks its blocks are enough: [k / block, block, block]. */
  readonly gram: Float32Array;
  /** Xf'X / tokens in the form of `gram` with the float inputs Xf, for AIMET's `asym`; without it both sides see X (`symqt`). */
  readonly cross?: Float32Array;
}

export interface BlockSeqMseOptions extends SeqMseOptions {
  readonly blockSize: number;
  /** `minMax`: the range of the weight. `compressed`: that of its LPBQ scales, as AIMET's recipe for ONNX begins. */
  readonly start: 'minMax' | 'compressed';
}

/** A grid of float scales, and which part (chosen + 1) / C of its range each scale takes. */
export interface ChosenGrid {
  readonly grid: ScaleGrid;
  readonly chosen: Uint8Array;
}

/** LPBQ scales: searched as float scales of blocks, then compressed. Of equal losses the smallest range. */
export function seqMse(compute: Compute, { w, n, k }: LayerWeight, { blockSize: block, start, ...options }: BlockSeqMseOptions): LpbqScales {
  const { kernels, threads } = compute;
  const minMax = start === 'compressed' ? kernels.solvers.searchLpbq({ w, n, k, block, gram: undefined, factors: new Float32Array(), threads }) : undefined;
  const { grid } = seqMsePerBlock(compute, { w, n, k }, { ...options, block, bits: 4, ...(minMax === undefined ? {} : { full: lpbqGrid(minMax, k).scale }) });
  return compressScales(grid.scale, n);
}

/** Float scales of blocks. @param options `full`: scales of the full ranges, fp32 [n, k / block]; those of min-max without it */
export function seqMsePerBlock(compute: Compute, { w, n, k }: LayerWeight, options: SeqMseOptions & { readonly block: number; readonly bits: 4 | 8; readonly full?: Float32Array }): ChosenGrid {
  const { block, bits, candidates, gram, cross, full } = options;
  const { kernels, threads, stack } = compute;
  const { scale, chosen } = releasing(stack, () => kernels.solvers.searchCandidates({
    w, n, k, block, bits, candidates, threads,
    gram: diagonalBlocks(gram, k, block),
    ...(cross === undefined ? {} : { linear: blockTargets(compute, { w, n, k }, cross, block) }),
    ...(full === undefined ? {} : { start: full }),
  }));
  return { grid: { scale, block, bits }, chosen };
}

/** Scales of whole channels. */
export function seqMsePerChannel(compute: Compute, weight: LayerWeight, bits: 4 | 8, { candidates, gram, cross }: SeqMseOptions): ChosenGrid {
  const { n, k } = weight;
  const full = minMaxGrid(compute, weight, { bits, block: k }).scale;
  // W (Xf'X - X'X): what an error gains by leaning toward what the float inputs give.
  const slope = cross === undefined ? undefined : timesSquare(compute, weight.w, difference(compute, cross, gram), n, k);
  const scales = Array.from({ length: candidates }, (_, c) => () => full.map((value) => candidateScale(value, c, candidates, bits)));
  const { scale, chosen } = leastLoss(compute, weight, { bits, block: k }, scales, (e) => {
    const losses = compute.kernels.solvers.rowLosses(e, gram, n, k, compute.threads);
    return slope === undefined ? losses : losses.map((loss, row) => loss - 2 * dot(e.subarray(row * k, (row + 1) * k), slope.subarray(row * k, (row + 1) * k)));
  });
  return { grid: { scale, block: k, bits }, chosen };
}

/** Per block, what the float inputs make of the weight, seen from the quantized inputs: w_j (Xf'X)_jj, fp32 [n, k]. */
function blockTargets({ kernels, threads, stack }: Compute, { w, n, k }: LayerWeight, cross: Float32Array, block: number): Float32Array {
  const targets = takeFloats(stack, n * k);
  kernels.algebra.multiplyByBlocks(targets, w, diagonalBlocks(cross, k, block), n, k, block, threads);
  return targets;
}
