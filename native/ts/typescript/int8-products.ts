/** Products with codes in TypeScript: `multiplyByCodes` and `roundBlocks` of algebra.ts, element by element. */
import { ROUNDED_BLOCK } from '../algebra.js';
import { blockFloats } from './block-floats.js';
import { fma32 } from './fused-multiply-add.js';

const { fround } = Math;
const LARGEST_INTEGER = 127;

export function multiplyByCodes(out: Float32Array, x: Float32Array, codes: Int8Array, scale: Float32Array, block: number, m: number, n: number, k: number): void {
  const { integers, scales } = blockFloats(x, m, k, ROUNDED_BLOCK, LARGEST_INTEGER);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let chain = 0;
      for (let start = 0; start < k; start += ROUNDED_BLOCK) {
        let sum = 0;
        for (let p = start; p < start + ROUNDED_BLOCK; p++) sum += (integers[i * k + p] as number) * (codes[j * k + p] as number);
        chain = fma32(sum, fround((scales[(i * k + start) / ROUNDED_BLOCK] as number) * (scale[Math.floor((j * k + start) / block)] as number)), chain);
      }
      out[i * n + j] = chain;
    }
  }
}

export function roundBlocks(codes: Int8Array, scale: Float32Array, x: Float32Array, blocks: number): void {
  const { integers, scales } = blockFloats(x, blocks, ROUNDED_BLOCK, ROUNDED_BLOCK, LARGEST_INTEGER);
  codes.set(integers);
  scale.set(scales);
}
