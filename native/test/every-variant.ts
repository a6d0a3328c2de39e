/** Holds one computation of the TypeScript kernels against every variant of the addon that this machine runs. */
import { expect } from 'vitest';
import { type Kernels, loadKernels, variants } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';
import { type Result, bytes } from './bytes.js';

ensureAddon();
export const reference = loadKernels({ allow: 'typescript' });
export const natives: readonly Kernels[] = variants().map((isa) => loadKernels({ allow: 'native', isa }));
const THREADS = [1, 2, 3];

/** The results of the reference: on 1, 2 and 3 threads, every variant gives their bytes. */
export function inEveryVariant<T extends readonly Result[]>(compute: (kernels: Kernels, threads: number) => T): T {
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

/** The same of one result. */
export function expectSame(compute: (kernels: Kernels, threads: number) => Float32Array): Float32Array {
  return inEveryVariant((kernels, threads) => [compute(kernels, threads)] as const)[0];
}
