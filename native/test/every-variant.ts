/** Holds one computation of the TypeScript kernels against every variant of the addon that this machine runs. */
import { expect } from 'vitest';
import { type Kernels, loadKernels, variants } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';
import { bytes } from './bytes.js';

ensureAddon();
const reference = loadKernels({ allow: 'typescript' });
const natives: readonly Kernels[] = variants().map((isa) => loadKernels({ allow: 'native', isa }));
const THREADS = [1, 2];

/** The result of the reference: on one and on two threads, every variant gives its bytes. */
export function expectSame(compute: (kernels: Kernels, threads: number) => Float32Array): Float32Array {
  const result = compute(reference, 1);
  const expected = bytes(result);
  for (const native of natives) {
    for (const threads of THREADS) expect(bytes(compute(native, threads)).equals(expected), `${native.identity().isa} with ${threads} threads`).toBe(true);
  }
  return result;
}
