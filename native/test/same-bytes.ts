/** Compares results of a variant of the addon with those of the TypeScript kernels to the bit. */
import { expect } from 'vitest';
import { loadKernels } from '../ts/index.js';
import { type Result, bytes } from './bytes.js';
import type { Kernels } from '../ts/index.js';

/** Results of kernels on a number of threads. */
export type Computation<T extends readonly Result[] = readonly Result[]> = (kernels: Kernels, threads: number) => T;

export const reference = loadKernels({ allow: 'typescript' });
export const THREADS = [1, 2, 3];

/** `compute` gives the same bytes with each of `natives` on 1, 2 and 3 threads as with the TypeScript kernels, whose results it returns. */
export function expectSame<T extends readonly Result[]>(natives: readonly Kernels[], compute: Computation<T>): T {
  const results = compute(reference, 1);
  const expected = results.map(bytes);
  for (const native of natives) {
    for (const threads of THREADS) {
      const actual = compute(native, threads).map(bytes);
      expected.forEach((want, i) => { expect(actual[i]?.equals(want), `result ${i} of ${native.identity().isa} with ${threads} threads`).toBe(true); });
    }
  }
  return results;
}
