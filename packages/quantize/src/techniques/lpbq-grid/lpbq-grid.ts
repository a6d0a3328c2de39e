/** LPBQ-grid search: scales that are best on the final grid itself, integers and channel scale together. */
import type { LpbqScales } from '@tundish/native';
import { type Compute, type LayerWeight, diagonalBlocks } from '../weight-matrix.js';

export interface LpbqGridOptions {
  readonly blockSize: number;
  /** How many channel scales are tried, at equal distances from 0.6 to 1 of that of min-max. */
  readonly factors: number;
  /** fp32 [k, k] of the inputs, or its blocks [k / blockSize, blockSize, blockSize]; without it all errors weigh alike. */
  readonly gram?: Float32Array;
  /** Full Gram matrices of blocks, or their diagonals only: a third of the time, and needs few tokens. */
  readonly weighting: 'blocks' | 'diagonal';
}

/**
 * For each channel: for each channel scale the best integer 1..16 of every block under e G e' (G: Gram matrix of the block's
 * inputs), then the channel scale with the smallest sum. The solution of min-max is always a candidate, so under these
 * weights the result is never worse; that is not so for scales that are searched first and compressed afterwards.
 */
export function searchLpbqGrid({ kernels, threads }: Compute, { w, n, k }: LayerWeight, options: LpbqGridOptions): LpbqScales {
  const { blockSize, gram, weighting } = options;
  const weights = gram === undefined ? undefined : weighting === 'blocks' ? diagonalBlocks(gram, k, blockSize) : diagonal(gram, k);
  return kernels.solvers.searchLpbq({ w, n, k, block: blockSize, gram: weights, factors: channelFactors(options.factors), threads });
}

/** The diagonal of a matrix that is there as a whole or in diagonal blocks. */
export function diagonal(gram: Float32Array, k: number): Float32Array {
  const width = gram.length / k;
  return Float32Array.from({ length: k }, (_, i) => gram[i * width + (i % width)] as number);
}

/** `count` factors up to 1. */
export function channelFactors(count: number): Float32Array {
  const span = 0.4;
  return Float32Array.from({ length: count }, (_, i) => (count === 1 ? 1 : 1 - span + (span * i) / (count - 1)));
}
