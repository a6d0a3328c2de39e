/** Compares results of a variant of the addon with those of the TypeScript kernels to the bit. */
import { expect } from 'vitest';
import { loadKernels } from '../ts/index.js';
import type { Kernels } from '../ts/index.js';

const reference = loadKernels({ allow: 'typescript' });
export const THREADS = [1, 2, 3];

type Result = Float32Array | Uint8Array | Int8Array | Uint16Array | number;

/** Bytes of a result; a NaN stands for every NaN, because the payload of a computed NaN is unspecified. */
function bytes(result: Result): Buffer {
  const array = typeof result === 'number' ? new Float64Array([result]) : result;
  if (array instanceof Float32Array && array.some(Number.isNaN)) {
    const words = new Uint32Array(array.slice().buffer);
    array.forEach((x, i) => { if (Number.isNaN(x)) words[i] = 0x7fc00000; });
    return Buffer.from(words.buffer);
  }
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

/** `compute` gives the same bytes with `native` on 1, 2 and 3 threads as with the TypeScript kernels. */
export function expectSame(native: Kernels, compute: (kernels: Kernels, threads: number) => readonly Result[]): void {
  const expected = compute(reference, 1).map(bytes);
  for (const threads of THREADS) {
    const actual = compute(native, threads).map(bytes);
    expected.forEach((want, i) => { expect(actual[i]?.equals(want), `result ${i} with ${threads} threads`).toBe(true); });
  }
}
