/** Products of block floating point in TypeScript: `Algebra.int16` of algebra.ts, element by element. */
import { type BlockFloats, blockFloats } from './block-floats.js';
import { fma32 } from './fused-multiply-add.js';
import { transpose } from './matrices.js';

const { ceil, fround } = Math;
const BLOCK = 128;
const LARGEST_INTEGER = 4095;

export function multiplyInto(out: Float32Array, a: Float32Array, b: Float32Array, m: number, n: number, k: number, transposeA: boolean, transposeB: boolean, accumulate: boolean): void {
  if (!accumulate) out.fill(0);
  const rows = blockFloats(transposeA ? transpose(a, k, m) : a, m, k, BLOCK, LARGEST_INTEGER);
  const columns = blockFloats(transposeB ? b : transpose(b, k, n), n, k, BLOCK, LARGEST_INTEGER);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) out[i * n + j] = continueChain(out[i * n + j] as number, rows, i, columns, j, ceil(k / BLOCK));
  }
}

/** All of the matrix: what is below the diagonal is unspecified. */
export function accumulateGram(gram: Float32Array, x: Float32Array, rows: number, k: number): void {
  multiplyInto(gram, x, x, k, k, rows, true, false, true);
}

function continueChain(start: number, a: BlockFloats, i: number, b: BlockFloats, j: number, blocks: number): number {
  let chain = start;
  for (let block = 0; block < blocks; block++) {
    const [left, right] = [i * blocks + block, j * blocks + block];
    let sum = 0;
    for (let p = 0; p < BLOCK; p++) sum += (a.integers[left * BLOCK + p] as number) * (b.integers[right * BLOCK + p] as number);
    chain = fma32(fround(sum), fround((a.scales[left] as number) * (b.scales[right] as number)), chain);
  }
  return chain;
}
