/** Block floating point in TypeScript: rows of integers with a scale for each block. */
import { clampRound } from './ranges.js';

const { abs, ceil, floor, fround, max, min } = Math;
const SMALLEST_BLOCK = 2 ** -100;

/** Rows as integers [rows, blocks * block], the last block filled up with zeros, times scales [rows, blocks]. */
export interface BlockFloats {
  readonly integers: Int16Array;
  readonly scales: Float32Array;
}

/** @param x [rows, k] @param block steps that share a scale @param bound the integer of the largest of them */
export function blockFloats(x: Float32Array, rows: number, k: number, block: number, bound: number): BlockFloats {
  const blocks = ceil(k / block);
  const [integers, scales] = [new Int16Array(rows * blocks * block), new Float32Array(rows * blocks)];
  for (let index = 0; index < rows * blocks; index++) {
    const [row, at] = [floor(index / blocks), (index % blocks) * block];
    const values = x.subarray(row * k + at, row * k + min(k, at + block));
    const largest = values.reduce((most, value) => max(most, abs(value)), 0);
    if (!(largest < Infinity)) scales[index] = NaN;
    else if (largest >= SMALLEST_BLOCK) {
      const inverse = fround(bound / largest);
      scales[index] = largest / bound;
      values.forEach((value, p) => { integers[index * block + p] = clampRound(fround(value * inverse), -bound, bound); });
    }
  }
  return { integers, scales };
}
