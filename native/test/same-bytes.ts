/** Compares results of a variant of the addon with those of the TypeScript kernels to the bit. */
import { expect } from 'vitest';
import { loadKernels } from '../ts/index.js';
import { type Result, bytes } from './bytes.js';
import type { Kernels } from '../ts/index.js';

const reference = loadKernels({ allow: 'typescript' });
export const THREADS = [1, 2, 3];

/** `compute` gives the same bytes with `native` on 1, 2 and 3 threads as with the TypeScript kernels. */
export function expectSame(native: Kernels, compute: (kernels: Kernels, threads: number) => readonly Result[]): void {
  const expected = compute(reference, 1).map(bytes);
  for (const threads of THREADS) {
    const actual = compute(native, threads).map(bytes);
    expected.forEach((want, i) => { expect(actual[i]?.equals(want), `result ${i} with ${threads} threads`).toBe(true); });
  }
}
