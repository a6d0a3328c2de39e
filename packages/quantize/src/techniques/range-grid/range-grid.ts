/** Search of float scales: for each channel, or each block of it, the part of its min-max range that costs least. */
import type { ScaleGrid } from '@tundish/native';
import { channelFactors, diagonal } from '../lpbq-grid/lpbq-grid.js';
import { type Compute, type LayerWeight, copyRows, dequantize, diagonalBlocks, difference } from '../weight-matrix.js';

export interface RangeGridOptions {
  readonly bits: 4 | 8;
  /** Columns that share a scale; k for one scale a channel. */
  readonly block: number;
  /** How many scales are tried, at equal distances from 0.6 to 1 of that of min-max. */
  readonly factors: number;
  /** fp32 [k, k] of the inputs, or its blocks [k / block, block, block]; without it all errors weigh alike. */
  readonly gram?: Float32Array;
  /** Gram matrices of the ranges' own columns (of a channel: the whole matrix), or their diagonals only. */
  readonly weighting: 'blocks' | 'diagonal';
}

/** Of equal losses the largest range, so that min-max stays where nothing is better. */
export function searchRangeGrid(compute: Compute, weight: LayerWeight, { bits, block, factors, gram, weighting }: RangeGridOptions): ScaleGrid {
  const full = minMaxGrid(compute, weight, { bits, block }).scale;
  const candidates = Array.from(channelFactors(factors)).reverse().map((factor) => () => full.map((scale) => scale * factor));
  const { scale } = leastLoss(compute, weight, { bits, block }, candidates, rangeLosses(compute, weight, block, weighting, gram));
  return { scale, block, bits };
}

/** Minimum and maximum of each range, as AIMET 2.42 makes scales of them. */
export function minMaxGrid({ kernels, threads }: Compute, { w, n, k }: LayerWeight, { bits, block }: { readonly bits: 4 | 8; readonly block: number }): ScaleGrid {
  return { scale: kernels.quantizePerChannel(w, (n * k) / block, block, bits, threads).scale, block, bits };
}

/** float64 [n * k / block] of errors fp32 [n, k]. */
export type RangeLosses = (e: Float32Array) => Float64Array;

/** What each range takes of the candidates: the one with the least loss, of equal ones the first. */
export function leastLoss(
  { kernels, threads }: Compute, { w, n, k }: LayerWeight, { bits, block }: Omit<ScaleGrid, 'scale'>, candidates: readonly (() => Float32Array)[], lossesOf: RangeLosses,
): { readonly scale: Float32Array; readonly chosen: Uint8Array } {
  const ranges = (n * k) / block;
  const chosen = new Uint8Array(ranges);
  const scale = new Float32Array(ranges);
  const least = new Float64Array(ranges).fill(Infinity);
  candidates.forEach((scaleOf, c) => {
    const grid: ScaleGrid = { scale: scaleOf(), block, bits };
    const values = dequantize({ kernels, threads }, kernels.solvers.roundToGrid({ w, n, k, threads }, grid), grid);
    const e = difference({ kernels, threads }, values, w, values);
    lossesOf(e).forEach((loss, range) => {
      if (!(loss < (least[range] as number))) return;
      least[range] = loss;
      chosen[range] = c;
      scale[range] = grid.scale[range] as number;
    });
  });
  return { scale, chosen };
}

function rangeLosses(compute: Compute, { n, k }: LayerWeight, block: number, weighting: RangeGridOptions['weighting'], gram: Float32Array | undefined): RangeLosses {
  if (gram === undefined || weighting === 'diagonal') return weightedSquares(k, block, gram);
  if (block === k) return (e) => compute.kernels.solvers.rowLosses(e, gram, n, k, compute.threads);
  const blocks = diagonalBlocks(gram, k, block);
  return (e) => {
    const losses = new Float64Array((n * k) / block);
    const own = new Float32Array(n * block);
    for (let j = 0; j < k / block; j++) {
      copyRows(e, j * block, k, own, 0, block, block);
      const found = compute.kernels.solvers.rowLosses(own, blocks.subarray(j * block * block, (j + 1) * block * block), n, block, compute.threads);
      found.forEach((loss, row) => { losses[(row * k) / block + j] = loss; });
    }
    return losses;
  };
}

/** Sums of squares, each weighed with the diagonal of its column. */
function weightedSquares(k: number, block: number, gram: Float32Array | undefined): RangeLosses {
  const weights = gram === undefined ? new Float32Array(k).fill(1) : diagonal(gram, k);
  return (e) => Float64Array.from({ length: e.length / block }, (_, range) => {
    let loss = 0;
    for (let i = range * block; i < (range + 1) * block; i++) loss += (weights[i % k] as number) * (e[i] as number) ** 2;
    return loss;
  });
}
