/** The contract of the numeric kernels: what a caller sees, and the raw entry points that C++ and TypeScript both implement. */
import type { Algebra, RawAlgebra } from './algebra.js';
import type { DecoderKernels, RawDecoderKernels } from './decoder-kernels.js';
import type { RawReconstruction, Reconstruction } from './reconstruction.js';
import type { RawSolvers, Solvers } from './solvers.js';

/**
 * 4-bit LPBQ weight of shape [n, k].
 * `codes`: Uint8Array [n, k/2], low nibble first, nibble = code + 8. `blockScale`: Uint8Array [n, k/blockSize], 1..16.
 * `channelScale`: Float32Array [n]. Element = code * fp32(blockScale * channelScale).
 */
export interface LpbqWeight {
  readonly codes: Uint8Array;
  readonly blockScale: Uint8Array;
  readonly channelScale: Float32Array;
}

/** Symmetric weight of shape [n, k] with one scale a row; element = code * scale[row]. */
export interface PerChannelWeight {
  readonly codes: Int8Array;
  readonly scale: Float32Array;
}

/** Unsigned grid: element = (code - zeroPoint) * scale, so 0 is exact. `scale` is a positive fp32, `zeroPoint` one of the codes. */
export interface UnsignedGrid {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface MinMax {
  readonly min: number;
  readonly max: number;
}

/** `avx512vnni`, `avx512`, `avx2` and `portable` are variants of the addon; `typescript` is the fallback. All give the same bytes. */
export type Isa = 'avx512vnni' | 'avx512' | 'avx2' | 'portable' | 'typescript';

/** What computes; goes into the provenance of an artifact. `version` changes when any kernel's result may change. */
export interface KernelIdentity {
  readonly implementation: 'native' | 'typescript';
  readonly version: string;
  readonly isa: Isa;
}

/**
 * Numeric kernels on row-major arrays. Results do not depend on the implementation, the instruction set or `threads`
 * (default 2). Callers refuse NaN and infinite weights; given one anyway a kernel neither crashes nor hangs: a NaN
 * never counts in a range, and a quotient that is NaN takes the lowest code. The payload of a
 * computed NaN is unspecified. Every method throws KERNEL_ARGUMENT when arguments do not fit.
 */
export interface Kernels {
  identity(): KernelIdentity;
  /** Why TypeScript computes although an addon was allowed; undefined for the addon and when TypeScript was asked for. */
  readonly reason: string | undefined;

  /**
   * Min-max LPBQ, numerics of AIMET 2.42: see typescript/ranges.ts for the rule.
   * @param w fp32 [n, k]; blockSize is even and divides k
   */
  quantizeLpbq(w: Float32Array, n: number, k: number, blockSize: number, threads?: number, codes?: Uint8Array): LpbqWeight;
  /** @returns fp32 [n, k], fp32(code * fp32(blockScale * channelScale)) */
  dequantizeLpbq(weight: LpbqWeight, n: number, k: number, blockSize: number, threads?: number): Float32Array;

  /** Min-max symmetric, full grid -2^(bits-1)..2^(bits-1)-1, one scale a row, numerics of AIMET 2.42. @param w fp32 [n, k] @param codes for those of the result; without it they are new */
  quantizePerChannel(w: Float32Array, n: number, k: number, bits: 4 | 8, threads?: number, codes?: Int8Array): PerChannelWeight;
  /** @returns fp32 [n, k] */
  dequantizePerChannel(weight: PerChannelWeight, n: number, k: number, threads?: number): Float32Array;

  /**
   * Codes of ONNX QuantizeLinear, clamp(rint(fp32(w / scale)) + zeroPoint, 0, 2^bits - 1), half to even.
   * @param codes for the result; without it that is new
   * @returns one code an element, Uint8Array for 8 bits and Uint16Array for 16
   */
  quantizeOnGrid(w: Float32Array, grid: UnsignedGrid, bits: 8 | 16, threads?: number, codes?: Uint8Array | Uint16Array): Uint8Array | Uint16Array;

  /** NaN is ignored and -0 counts as +0; without any number the result is { min: Infinity, max: -Infinity }. */
  minMax(x: Float32Array, threads?: number): MinMax;
  /** Whether neither NaN nor infinity is among the elements. */
  allFinite(x: Float32Array, threads?: number): boolean;
  /** bfloat16 bits -> fp32, exact, NaN payloads kept. @param out of the length of `bits`, for the result; without it that is new */
  widenBf16(bits: Uint16Array, threads?: number, out?: Float32Array): Float32Array;
  /** IEEE binary16 bits -> fp32, exact, NaN payloads kept. @param out of the length of `bits`, for the result; without it that is new */
  widenF16(bits: Uint16Array, threads?: number, out?: Float32Array): Float32Array;
  /** a - b. @param out of their length, for the result; it may be one of them, and without it it is new */
  subtract(a: Float32Array, b: Float32Array, threads?: number, out?: Float32Array): Float32Array;

  /**
   * a [m, k] times b [k, n] (or b [n, k] with `transposeB`) -> fp32 [m, n]. Every element is one chain of fp32 fused
   * multiply-adds over ascending k that starts from +0, so the result is defined to the last bit.
   */
  sgemm(a: Float32Array, b: Float32Array, m: number, n: number, k: number, options?: SgemmOptions): Float32Array;

  /** Walsh-Hadamard transform of every row of x [rows, n], in place, unnormalised, natural order; n is a power of two. */
  fwht(x: Float32Array, rows: number, n: number, threads?: number): void;

  /** Products, Gram matrices and triangular systems in place. */
  readonly algebra: Algebra;
  /** The steps of a decoder block that are not matrix products. */
  readonly decoder: DecoderKernels;
  /** Codes and scales of linear layers from weights and statistics of inputs. */
  readonly solvers: Solvers;
  /** Steps of weights that are learned by gradients. */
  readonly reconstruction: Reconstruction;
}

export interface SgemmOptions {
  readonly transposeB?: boolean;
  readonly threads?: number;
}

/** Entry points that write into arrays of the right size; both implementations have exactly these. */
export interface RawKernels {
  quantizeLpbq(w: Float32Array, n: number, k: number, blockSize: number, codes: Uint8Array, blockScale: Uint8Array, channelScale: Float32Array, threads: number): void;
  dequantizeLpbq(codes: Uint8Array, blockScale: Uint8Array, channelScale: Float32Array, n: number, k: number, blockSize: number, out: Float32Array, threads: number): void;
  quantizePerChannel(w: Float32Array, n: number, k: number, bits: number, codes: Int8Array, scale: Float32Array, threads: number): void;
  dequantizePerChannel(codes: Int8Array, scale: Float32Array, n: number, k: number, out: Float32Array, threads: number): void;
  quantizeOnGrid8(w: Float32Array, scale: number, zeroPoint: number, codes: Uint8Array, threads: number): void;
  quantizeOnGrid16(w: Float32Array, scale: number, zeroPoint: number, codes: Uint16Array, threads: number): void;
  /** `out` receives [min, max]. */
  minMax(x: Float32Array, out: Float32Array, threads: number): void;
  allFinite(x: Float32Array, threads: number): boolean;
  widenBf16(bits: Uint16Array, out: Float32Array, threads: number): void;
  widenF16(bits: Uint16Array, out: Float32Array, threads: number): void;
  subtract(a: Float32Array, b: Float32Array, out: Float32Array, threads: number): void;
  sgemm(a: Float32Array, b: Float32Array, out: Float32Array, m: number, n: number, k: number, transposeB: boolean, threads: number): void;
  fwht(x: Float32Array, rows: number, n: number, threads: number): void;
  readonly algebra: RawAlgebra;
  readonly decoder: RawDecoderKernels;
  readonly solvers: RawSolvers;
  readonly reconstruction: RawReconstruction;
}
