/** Linear algebra in TypeScript, element by element in the order of operations that algebra.ts states. */
import { fma32 } from './fused-multiply-add.js';
import { continueProduct, transpose } from './matrices.js';

const { sqrt } = Math;

export function multiplyInto(out: Float32Array, a: Float32Array, b: Float32Array, m: number, n: number, k: number, transposeA: boolean, transposeB: boolean, accumulate: boolean): void {
  if (!accumulate) out.fill(0);
  continueProduct(transposeA ? transpose(a, k, m) : a, transposeB ? transpose(b, n, k) : b, out, m, n, k);
}

/** All of the matrix: what is below the diagonal is unspecified. */
export function accumulateGram(gram: Float32Array, x: Float32Array, rows: number, k: number): void {
  multiplyInto(gram, x, x, k, k, rows, true, false, true);
}

export function multiplyByBlocks(out: Float32Array, a: Float32Array, blocks: Float32Array, n: number, k: number, block: number): void {
  for (let row = 0; row < n; row++) {
    for (let start = row * k; start < (row + 1) * k; start += block) {
      const own = (start - row * k) * block;
      multiplyInto(out.subarray(start, start + block), a.subarray(start, start + block), blocks.subarray(own, own + block * block), 1, block, block, false, false, false);
    }
  }
}

export function gather(out: Float32Array, x: Float32Array, rows: Uint32Array | null, columns: Uint32Array, count: number, k: number): void {
  for (let r = 0; r < count; r++) {
    const from = (rows === null ? r : (rows[r] as number)) * k;
    for (let c = 0; c < k; c++) out[r * k + c] = x[from + (columns[c] as number)] as number;
  }
}

export function mirror(gram: Float32Array, k: number): void {
  for (let i = 0; i < k; i++) {
    for (let j = i + 1; j < k; j++) gram[j * k + i] = gram[i * k + j] as number;
  }
}

export function accumulateBlocks(blocks: Float32Array, a: Float32Array, b: Float32Array, rows: number, k: number, block: number): void {
  for (let start = 0; start < k; start += block) {
    const columnsOf = (x: Float32Array): Float32Array => Float32Array.from({ length: rows * block }, (_, i) => x[Math.floor(i / block) * k + start + (i % block)] as number);
    multiplyInto(blocks.subarray(start * block, (start + block) * block), columnsOf(a), columnsOf(b), block, block, rows, true, false, true);
  }
}

export function cholesky(a: Float32Array, k: number): number {
  for (let i = 0; i < k; i++) {
    for (let j = 0; j <= i; j++) {
      let chain = a[i * k + j] as number;
      for (let p = 0; p < j; p++) chain = fma32(-(a[i * k + p] as number), a[j * k + p] as number, chain);
      if (i === j && !(chain > 0 && chain < Infinity)) return i;
      a[i * k + j] = i === j ? sqrt(chain) : chain / (a[j * k + j] as number);
    }
    a.fill(0, i * k + i + 1, (i + 1) * k);
  }
  return -1;
}

export function solveLower(l: Float32Array, k: number, b: Float32Array, rows: number, transpose: boolean): void {
  for (let row = 0; row < rows; row++) {
    const x = b.subarray(row * k, (row + 1) * k);
    for (let step = 0; step < k; step++) {
      const j = transpose ? k - 1 - step : step;
      let chain = x[j] as number;
      for (let before = 0; before < step; before++) {
        const p = transpose ? k - 1 - before : before;
        chain = fma32(-(x[p] as number), (transpose ? l[p * k + j] : l[j * k + p]) as number, chain);
      }
      x[j] = chain / (l[j * k + j] as number);
    }
  }
}
