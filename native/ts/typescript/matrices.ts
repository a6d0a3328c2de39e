/** sgemm and the Walsh-Hadamard transform in TypeScript, with the operation order of the addon. */
import { fma32 } from './fused-multiply-add.js';

/** Columns that are computed together, so that the rows of an untransposed b are read in order. */
const COLUMNS = 64;

export function sgemm(a: Float32Array, b: Float32Array, out: Float32Array, m: number, n: number, k: number, transposeB: boolean): void {
  continueProduct(a, transposeB ? transpose(b, n, k) : b, out.fill(0), m, n, k);
}

/** out [m, n] += a [m, k] times b [k, n]. */
export function continueProduct(a: Float32Array, b: Float32Array, out: Float32Array, m: number, n: number, k: number): void {
  for (let row = 0; row < m; row++) {
    for (let start = 0; start < n; start += COLUMNS) {
      const chain = out.subarray(row * n + start, row * n + Math.min(n, start + COLUMNS));
      for (let p = 0; p < k; p++) {
        const x = a[row * k + p] as number;
        const offset = p * n + start;
        for (let j = 0; j < chain.length; j++) chain[j] = fma32(x, b[offset + j] as number, chain[j] as number);
      }
    }
  }
}

/** [rows, columns] -> [columns, rows]. */
export function transpose(x: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j] as number;
  }
  return out;
}

export function fwht(x: Float32Array, rows: number, n: number): void {
  for (let half = 1; half < n; half *= 2) {
    for (let start = 0; start < rows * n; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const left = x[i] as number;
        const right = x[i + half] as number;
        x[i] = left + right;
        x[i + half] = left - right;
      }
    }
  }
}
