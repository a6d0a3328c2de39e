/** Elementwise passes over weights that several techniques need. */
import type { Kernels, Products, ScaleGrid } from '@tundish/native';
import { type FloatStack, takeFloats } from '../float-stack.js';

/** A linear layer's weight fp32 [n, k], row-major: n outputs, k inputs. */
export interface LayerWeight {
  readonly w: Float32Array;
  readonly n: number;
  readonly k: number;
}

/** Who computes, and on how many threads; results depend on neither. */
export interface Compute {
  readonly kernels: Kernels;
  readonly threads: number;
  /** Multiplies tokens with each other and with weights; default: `kernels.algebra`, in fp32. */
  readonly products?: Products;
  /** Where large results lie that somebody releases; absent: they are new. */
  readonly stack?: FloatStack;
}

/** fp32 [n, k] of codes on a grid: code · scale. */
export function dequantize(compute: Compute, codes: Int8Array, grid: ScaleGrid): Float32Array {
  return compute.kernels.solvers.valuesOnGrid(codes, grid, compute.threads, takeFloats(compute.stack, codes.length));
}

/** Gram matrices of the blocks [k / block, block, block] on the diagonal of gram [k, k]; nothing else may be there already. */
export function diagonalBlocks(gram: Float32Array, k: number, block: number): Float32Array {
  if (gram.length === k * block) return gram;
  const blocks = new Float32Array(k * block);
  for (let row = 0; row < k; row++) {
    const start = row * k + row - (row % block);
    blocks.set(gram.subarray(start, start + block), row * block);
  }
  return blocks;
}

/** Elements [at, at + width) of every row of `stride` elements -> rows of another matrix. Element by element: rows are too short for a view each. */
export function copyRows(from: Float32Array, at: number, stride: number, to: Float32Array, toAt: number, toStride: number, width: number): void {
  for (let source = at, target = toAt; source < from.length; source += stride, target += toStride) {
    for (let i = 0; i < width; i++) to[target + i] = from[source + i] as number;
  }
}

/** a [n, k] times b [k, k], with the products of tokens: b is a mean of theirs. */
export function timesSquare({ kernels, products = kernels.algebra, threads, stack }: Compute, a: Float32Array, b: Float32Array, n: number, k: number): Float32Array {
  const out = takeFloats(stack, n * k);
  products.multiplyInto(out, a, b, { m: n, n: k, k }, threads);
  return out;
}

/** What a weight fp32 [n, k] makes of inputs [rows, k]: fp32 [rows, n]. */
export function outputsOf({ kernels, products = kernels.algebra, threads, stack }: Compute, { w, n, k }: LayerWeight, inputs: Float32Array): Float32Array {
  const rows = inputs.length / k;
  const outputs = takeFloats(stack, rows * n);
  products.multiplyInto(outputs, inputs, w, { m: rows, n, k, transposeB: true }, threads);
  return outputs;
}

/** a - b, element by element. @param out may be one of them */
export function difference({ kernels, threads, stack }: Compute, a: Float32Array, b: Float32Array, out = takeFloats(stack, a.length)): Float32Array {
  return kernels.subtract(a, b, threads, out);
}

/** Sum of products in float64, ascending. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** tr(e H e') over all rows of e [n, k]. */
export function outputLoss({ kernels, threads }: Compute, e: Float32Array, gram: Float32Array, n: number, k: number): number {
  return kernels.solvers.rowLosses(e, gram, n, k, threads).reduce((sum, loss) => sum + loss, 0);
}
