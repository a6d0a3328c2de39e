/** The contract of the linear algebra in place: what a caller sees, and the raw entry points that C++ and TypeScript both implement. */
import type { ScaleGrid } from './solvers.js';

/** Consecutive elements of a row that share a scale in `multiplyByCodes` and `roundBlocks`. */
export const ROUNDED_BLOCK = 32;

export interface ProductShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** a is stored [k, m]. */
  readonly transposeA?: boolean;
  /** b is stored [n, k]. */
  readonly transposeB?: boolean;
  /** Every chain goes on from the element of `out` instead of +0. */
  readonly accumulate?: boolean;
}

/** Matrix products on row-major fp32 arrays, in place; `Algebra` and its `int16` say which chain an element is. */
export interface Products {
  /** out [m, n] = a [m, k] times b [k, n]; the chain of an element runs over ascending k. */
  multiplyInto(out: Float32Array, a: Float32Array, b: Float32Array, shape: ProductShape, threads?: number): void;

  /**
   * gram [k, k] += xᵀ x for x [rows, k], on and above the diagonal; the chain of an element goes on over ascending rows.
   * Elements below the diagonal are unspecified until `mirror`.
   */
  accumulateGram(gram: Float32Array, x: Float32Array, rows: number, k: number, threads?: number): void;
  /** cross [n, k] += aᵀ b for a [rows, n] and b [rows, k]; the chain of an element goes on over ascending rows. */
  accumulateCross(cross: Float32Array, a: Float32Array, b: Float32Array, rows: number, n: number, k: number, threads?: number): void;
}

/**
 * Linear algebra on row-major fp32 arrays, in place. Every element is one chain of fp32 fused multiply-adds in a stated
 * order, so results do not depend on the implementation, the instruction set, blocking or `threads` (default 2). Arrays may
 * lie in shared memory. NaN and infinity pass through by the rules of arithmetic; the payload of a NaN is unspecified.
 * Every method throws KERNEL_ARGUMENT when arguments do not fit or an array that is written overlaps another one.
 */
export interface Algebra extends Products {
  /**
   * The products of inputs in block floating point: 128 consecutive steps of a row of a, or of a column of b, are integers
   * q = rint(x * (4095 / m)) with the scale m / 4095, where m is the largest magnitude among them; half to even, quotients in
   * fp32. At least one and a half times as fast as fp32 with AVX2. A chain takes one step a block,
   * fma(fp32(sum of qa qb), scale a * scale b, chain), whose sum is exact. A block with m < 2^-100 is 0, and one with NaN or
   * infinity makes NaN of every element that takes it. Going on after a number of steps that 128 does not divide begins a new block.
   */
  readonly int16: Products;

  /**
   * out [m, n] = x [m, k] times the transposed weight of codes [n, k] on a grid, with x in block floating point: 32 consecutive
   * steps of a row are integers q = rint(x * (127 / m)) with the scale m / 127, as those of `int16`. A chain takes one step a
   * block of x, fma(fp32(sum of q * code), scale of x * scale of the grid, chain), whose sum is exact. More than twice as fast
   * as fp32 with AVX2. Only for grids that `readsGrid`; a code that is not in [-8, 7] gives a wrong sum.
   */
  multiplyByCodes(out: Float32Array, x: Float32Array, codes: Int8Array, grid: ScaleGrid, shape: Pick<ProductShape, 'm' | 'n' | 'k'>, threads?: number): void;
  /**
   * Codes and scales of x in the block floating point of `multiplyByCodes`: element = code * scale of its 32. A block that is
   * not finite gets codes 0 and the scale NaN. Elements that are made of them round to the same codes again.
   *
   * @param x its length is a multiple of 32 @param codes int8, as many @param scale one for 32 of them
   */
  roundBlocks(x: Float32Array, codes: Int8Array, scale: Float32Array, threads?: number): void;
  /** Whether `multiplyByCodes` takes codes on this grid: at most 4 bits, in blocks that are multiples of 32. */
  readsGrid(grid: Pick<ScaleGrid, 'block' | 'bits'>): boolean;

  /**
   * blocks [k / block, block, block] += aᵀ b of each `block` columns, for a and b [rows, k] (one array or two); the chain of an
   * element goes on over ascending rows.
   */
  accumulateBlocks(blocks: Float32Array, a: Float32Array, b: Float32Array, rows: number, k: number, block: number, threads?: number): void;
  /** out [n, k] = a [n, k] times the matrix with blocks [k / block, block, block] on its diagonal; the chain of an element runs over its block alone. */
  multiplyByBlocks(out: Float32Array, a: Float32Array, blocks: Float32Array, n: number, k: number, block: number, threads?: number): void;

  /** out[r][c] = x[rows[r]][columns[c]] for x of `columns.length` columns; without `rows` row r is that of x. */
  gather(out: Float32Array, x: Float32Array, places: { readonly rows?: Uint32Array; readonly columns: Uint32Array }, threads?: number): void;

  /** Copies the upper triangle of gram [k, k] to the lower one. */
  mirror(gram: Float32Array, k: number): void;

  /**
   * The symmetric positive definite a [k, k], of which only the lower triangle is read, becomes L with L Lᵀ = a and +0 above
   * the diagonal: l[i][j] = (a[i][j] - sum over ascending p < j of l[i][p] l[j][p]) / l[j][j], on the diagonal the square root.
   * @returns -1, or the index of the first pivot that is not positive and finite; the contents of a are then unspecified
   */
  cholesky(a: Float32Array, k: number, threads?: number): number;
  /**
   * Every row b of b [rows, k] becomes the x with x Lᵀ = b (that is L xᵀ = bᵀ), or with `transpose` the x with x L = b (that
   * is Lᵀ xᵀ = bᵀ), where L is the lower triangle of l [k, k]; what is above its diagonal is not used. x[j] = (b[j] - sum of
   * x[p] l[j][p] over ascending p < j) / l[j][j], or (b[j] - sum of x[p] l[p][j] over descending p > j) / l[j][j].
   */
  solveLower(l: Float32Array, k: number, b: Float32Array, rows: number, options?: SolveOptions): void;
}

export interface SolveOptions {
  readonly transpose?: boolean;
  readonly threads?: number;
}

export interface RawProducts {
  multiplyInto(out: Float32Array, a: Float32Array, b: Float32Array, m: number, n: number, k: number, transposeA: boolean, transposeB: boolean, accumulate: boolean, threads: number): void;
  accumulateGram(gram: Float32Array, x: Float32Array, rows: number, k: number, threads: number): void;
}

/** Entry points for arrays of the right size; both implementations have exactly these. */
export interface RawAlgebra extends RawProducts {
  readonly int16: RawProducts;
  accumulateBlocks(blocks: Float32Array, a: Float32Array, b: Float32Array, rows: number, k: number, block: number, threads: number): void;
  multiplyByBlocks(out: Float32Array, a: Float32Array, blocks: Float32Array, n: number, k: number, block: number, threads: number): void;
  multiplyByCodes(out: Float32Array, x: Float32Array, codes: Int8Array, scale: Float32Array, block: number, m: number, n: number, k: number, threads: number): void;
  roundBlocks(codes: Int8Array, scale: Float32Array, x: Float32Array, blocks: number, threads: number): void;
  gather(out: Float32Array, x: Float32Array, rows: Uint32Array | null, columns: Uint32Array, count: number, k: number, threads: number): void;
  mirror(gram: Float32Array, k: number): void;
  cholesky(a: Float32Array, k: number, threads: number): number;
  solveLower(l: Float32Array, k: number, b: Float32Array, rows: number, transpose: boolean, threads: number): void;
}
