/** SeqMSE of AIMET 2.42: each range shrinks to the part of its min-max range that the layer's output likes best. */
import { type LpbqScales, type ScaleGrid, candidateScale } from '@tundish/native';
import { compressScales, lpbqGrid } from '../../lpbq/compress-scales.js';
import { type Compute, type LayerWeight, dequantize, diagonalBlocks } from '../weight-matrix.js';

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

/** LPBQ scales: searched as float scales of blocks, then compressed. Of equal losses the smallest range. */
export function seqMse({ kernels, threads }: Compute, { w, n, k }: LayerWeight, options: BlockSeqMseOptions): LpbqScales {
  const { blockSize: block, candidates, gram, cross, start } = options;
  const minMax = start === 'compressed' ? kernels.solvers.searchLpbq({ w, n, k, block, gram: undefined, factors: new Float32Array(), threads }) : undefined;
  const { scale } = kernels.solvers.searchCandidates({
    w, n, k, block, bits: 4, candidates, threads,
    gram: diagonalBlocks(gram, k, block),
    ...(cross === undefined ? {} : { linear: blockTargets(w, cross, n, k, block) }),
    ...(minMax === undefined ? {} : { start: lpbqGrid(minMax, k).scale }),
  });
  return compressScales(scale, n);
}

/** Scales of whole channels. @returns the grid, and which part (chosen + 1) / C of the range each channel takes */
export function seqMsePerChannel({ kernels, threads }: Compute, { w, n, k }: LayerWeight, bits: 4 | 8, { candidates, gram }: Omit<SeqMseOptions, 'cross'>): { readonly grid: ScaleGrid; readonly chosen: Uint8Array } {
  const full = kernels.quantizePerChannel(w, n, k, bits, threads).scale;
  const chosen = new Uint8Array(n);
  const scale = new Float32Array(n);
  const least = new Float64Array(n).fill(Infinity);
  for (let c = 0; c < candidates; c++) {
    const grid: ScaleGrid = { scale: full.map((value) => candidateScale(value, c, candidates, bits)), block: k, bits };
    const errors = dequantize(kernels.solvers.roundToGrid({ w, n, k, threads }, grid), grid).map((value, i) => value - (w[i] as number));
    kernels.solvers.rowLosses(errors, gram, n, k, threads).forEach((loss, row) => {
      if (!(loss < (least[row] as number))) return;
      least[row] = loss;
      chosen[row] = c;
      scale[row] = grid.scale[row] as number;
    });
  }
  return { grid: { scale, block: k, bits }, chosen };
}

/** Per block, what the float inputs make of the weight, seen from the quantized inputs: w_j (Xf'X)_jj, fp32 [n, k]. */
function blockTargets(w: Float32Array, cross: Float32Array, n: number, k: number, block: number): Float32Array {
  const blocks = diagonalBlocks(cross, k, block);
  const targets = new Float32Array(n * k);
  for (let start = 0; start < n * k; start += block) {
    const rows = blocks.subarray((start % k) * block, ((start % k) + block) * block);
    for (let a = 0; a < block; a++) {
      let sum = 0;
      for (let b = 0; b < block; b++) sum += (w[start + b] as number) * (rows[b * block + a] as number);
      targets[start + a] = sum;
    }
  }
  return targets;
}
