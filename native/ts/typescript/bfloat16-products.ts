/** Products of inputs rounded to bfloat16 in TypeScript: `Algebra.bfloat16` of algebra.ts, element by element. */
import { blockProducts } from './algebra.js';
import { fma32 } from './fused-multiply-add.js';
import { transpose } from './matrices.js';

const { abs, fround } = Math;
const SMALLEST_INPUT = 2 ** -56;
const ROUNDED_START = 2 ** -103;

export function multiplyInto(out: Float32Array, a: Float32Array, b: Float32Array, m: number, n: number, k: number, transposeA: boolean, transposeB: boolean, accumulate: boolean): void {
  if (!accumulate) out.fill(0);
  if (k === 0) return;
  const rows = narrow(transposeA ? transpose(a, k, m) : a);
  const columns = narrow(transposeB ? b : transpose(b, k, n));
  for (let i = 0; i < m; i++) {
    const row = rows.subarray(i * k, (i + 1) * k);
    for (let j = 0; j < n; j++) {
      out[i * n + j] = continueChain(roundStart(out[i * n + j] as number), row, columns.subarray(j * k, (j + 1) * k));
    }
  }
}

/** All of the matrix: what is below the diagonal is unspecified. */
export function accumulateGram(gram: Float32Array, x: Float32Array, rows: number, k: number): void {
  multiplyInto(gram, x, x, k, k, rows, true, false, true);
}

export const accumulateBlocks = blockProducts(multiplyInto);

function continueChain(start: number, a: Float32Array, b: Float32Array): number {
  let chain = start;
  for (let p = 0; p < a.length; p += 2) {
    chain = fma32(a[p + 1] ?? 0, b[p + 1] ?? 0, chain);
    chain = fma32(a[p] as number, b[p] as number, chain);
  }
  return chain;
}

/** To a multiple of 2^-126; -0 becomes +0. Numbers from 2^-103 on are such multiples. */
function roundStart(x: number): number {
  if (!(abs(x) < ROUNDED_START)) return x;
  const shift = x < 0 ? -ROUNDED_START : ROUNDED_START;
  return fround(fround(x + shift) - shift);
}

export function narrowBf16(x: Float32Array, bits: Uint16Array): void {
  new Uint32Array(narrow(x).buffer).forEach((word, i) => { bits[i] = Number.isNaN(x[i]) ? 0x7fc0 : word >>> 16; });
}

/** Half to even on the upper 16 bits; the sum carries into the exponent, up to infinity. */
function narrow(x: Float32Array): Float32Array {
  const words = new Uint32Array(Float32Array.from(x).buffer);
  x.forEach((value, i) => {
    const word = words[i] as number;
    if (abs(value) < SMALLEST_INPUT) words[i] = 0;
    else if (!Number.isNaN(value)) words[i] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  });
  return new Float32Array(words.buffer);
}
