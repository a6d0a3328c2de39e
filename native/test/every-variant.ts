/** Holds one computation of the TypeScript kernels against every variant of the addon that this machine runs. */
import { type Kernels, loadKernels, variants } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';
import type { Result } from './bytes.js';
import { type Computation, expectSame } from './same-bytes.js';

ensureAddon();
export const natives: readonly Kernels[] = variants().map((isa) => loadKernels({ allow: 'native', isa }));

/** `expectSame` of every variant. */
export function inEveryVariant<T extends readonly Result[]>(compute: Computation<T>): T {
  return expectSame(natives, compute);
}

/** The same of one result. */
export function oneInEveryVariant(compute: (kernels: Kernels, threads: number) => Float32Array): Float32Array {
  return inEveryVariant((kernels, threads) => [compute(kernels, threads)] as const)[0];
}
