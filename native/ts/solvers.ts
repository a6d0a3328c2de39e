/** The contract of the quantization solvers: codes and scales of a linear layer from its weight and the statistics of its inputs. */

/** Signed integers of `bits` bits with a scale for each row and each `block` columns: element = code * scale. */
export interface ScaleGrid {
  /** fp32 [n, k / block], all positive. */
  readonly scale: Float32Array;
  /** Divides k; k itself for one scale a row. */
  readonly block: number;
  /** 2 to 8; the full grid -2^(bits-1)..2^(bits-1)-1. */
  readonly bits: number;
}

/** A weight matrix fp32 [n, k], row-major, and the number of threads that work on it (default 2). */
export interface WeightMatrix {
  readonly w: Float32Array;
  readonly n: number;
  readonly k: number;
  readonly threads?: number;
}

export interface FeedbackRounding extends WeightMatrix {
  readonly grid: ScaleGrid;
  /** Column of each step, a permutation of 0..k-1. */
  readonly order: Uint32Array;
  /** fp32 [k, k] in steps; element (s, t), s < t, is what a unit error of step s adds to the target of step t. */
  readonly feedback: Float32Array;
  /** The same for the target of step s as it was before rounding: the residual term of GPTAQ. */
  readonly residual?: Float32Array;
  /** `weight`: an error is weight - rounded (LDL' form); `target`: moved target - rounded (recursion of GPTQ). */
  readonly errorFrom: 'weight' | 'target';
}

export interface Descent {
  /** fp32 [n, k]: what the products should equal; the weight, or a corrected one. */
  readonly target: Float32Array;
  readonly n: number;
  readonly k: number;
  readonly grid: ScaleGrid;
  /** fp32 [k, k], symmetric. */
  readonly gram: Float32Array;
  /** int8 [n, k], changed in place. */
  readonly codes: Int8Array;
  readonly sweeps: number;
  readonly threads?: number;
}

/**
 * What errors within a block are weighed with: fp32 [k / block, block, block] (Gram matrices of the blocks), [k] (their
 * diagonals), or nothing: all alike.
 */
export type BlockGram = Float32Array | undefined;

export interface LpbqSearch extends WeightMatrix {
  /** At most 256; divides k. */
  readonly block: number;
  readonly gram: BlockGram;
  /** Of the channel scale that min-max chooses. */
  readonly factors: Float32Array;
}

/** Channel scales fp32 [n] and integers 1..16 [n, k / block]. */
export interface LpbqScales {
  readonly channelScale: Float32Array;
  readonly blockScale: Uint8Array;
}

export interface CandidateSearch extends WeightMatrix {
  /** At most 256; divides k. */
  readonly block: number;
  readonly bits: number;
  readonly gram: BlockGram;
  /** fp32 [n, k]: the loss is q'Gq - 2 q'linear in place of (q - w)'G(q - w). */
  readonly linear?: Float32Array;
  /** fp32 [n, k / block]: scales that the largest candidate keeps, all positive; without it those of min-max. */
  readonly start?: Float32Array;
  /** 1 to 256. */
  readonly candidates: number;
}

/** fp32 scales [n, k / block], and which part (chosen + 1) / candidates of the range they take. */
export interface CandidateScales {
  readonly scale: Float32Array;
  readonly chosen: Uint8Array;
}

/**
 * Solvers on row-major arrays. Every result is defined to the last bit: it does not depend on the implementation, the
 * instruction set or the threads. Arguments must be finite. Every method throws KERNEL_ARGUMENT when arguments do not fit.
 */
export interface Solvers {
  /** clamp(rint(fp32(w / scale))), half to even. @returns int8 [n, k] */
  roundToGrid(matrix: WeightMatrix, grid: ScaleGrid): Int8Array;

  /** Each code times its scale, rounded once. @param codes int8 [n, k] @param out of their length, for the result; without it that is new @returns fp32 [n, k] */
  valuesOnGrid(codes: Int8Array, grid: ScaleGrid, threads?: number, out?: Float32Array): Float32Array;

  /**
   * Rounds the columns in `order`; each is told of the errors of those before it. Updates are fp32 fused multiply-adds in
   * the order of the steps: of the 128 steps of a group one by one, then of the group to all later columns, the residual
   * after the errors.
   * @returns int8 [n, k], in the columns' own order
   */
  roundWithFeedback(rounding: FeedbackRounding): Int8Array;

  /**
   * Coordinate descent: for each column in turn the code that minimises tr((Q - T) H (Q - T)'), all others held. The
   * loss never rises, but for roundings of fp32. Columns with a diagonal that is not positive stay.
   */
  descend(descent: Descent): void;

  /** e H e' of each row. @param e fp32 [n, k] @param gram fp32 [k, k] @returns float64 [n] */
  rowLosses(e: Float32Array, gram: Float32Array, n: number, k: number, threads?: number): Float64Array;

  /**
   * For each channel the best of min-max (AIMET 2.42) and, for each factor, of the best integers under factor times its
   * channel scale, made so that the largest integer is 16. 4-bit codes; block losses are weighed with `gram`.
   */
  searchLpbq(search: LpbqSearch): LpbqScales;

  /** SeqMSE of AIMET 2.42 for float block scales; of equal losses the smallest range. */
  searchCandidates(search: CandidateSearch): CandidateScales;
}

/** Entry points of the addon and of the TypeScript reference. */
export interface RawSolvers {
  valuesOnGrid(codes: Int8Array, scale: Float32Array, block: number, out: Float32Array, threads: number): void;
  roundToGrid(w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, codes: Int8Array, threads: number): void;
  roundWithFeedback(
    w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, order: Uint32Array, feedback: Float32Array, residual: Float32Array | null,
    fromTarget: boolean, codes: Int8Array, threads: number,
  ): void;
  descend(target: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, gram: Float32Array, codes: Int8Array, sweeps: number, threads: number): void;
  rowLosses(e: Float32Array, n: number, k: number, gram: Float32Array, loss: Float64Array, threads: number): void;
  searchLpbq(w: Float32Array, n: number, k: number, block: number, gram: Float32Array | null, factors: Float32Array, blockScale: Uint8Array, channelScale: Float32Array, threads: number): void;
  searchCandidates(
    w: Float32Array, n: number, k: number, block: number, bits: number, gram: Float32Array | null, linear: Float32Array | null, start: Float32Array | null, candidates: number, chosen: Uint8Array, scale: Float32Array,
    threads: number,
  ): void;
}
