/** The host toolchain: ONNX Runtime on the CPU as a compiler and an executor with the numerics of the device. */
import type { Toolchain } from '@tundish/toolchain';
import { hostError } from './errors.js';
import { hostIdentity } from './identity.js';
import { BLOCK_SIZES } from './block-sizes.js';

export interface HostOptions {
  /**
   * Whether lowered graphs may hold operators of our own, which sum codes exactly and several times faster: `own` (default)
   * where the addon is built, `standard` never, for graphs that any ONNX Runtime executes.
   */
  readonly operators?: 'own' | 'standard';
}

/**
 * ONNX Runtime itself is loaded by the threads of `compile` and `open`, never by the caller's; what works on graphs is
 * loaded when it is first used, since every task of a build asks for the identity.
 */
export function hostToolchain({ operators = 'own' }: HostOptions = {}): Toolchain {
  const identity = () => hostIdentity(operators);
  return {
    name: 'host',
    identity,
    modules: { convert: [new URL('./convert.js', import.meta.url)], compile: [new URL('./compile.js', import.meta.url)], package: [] },
    limits: () => ({ blockSizes: BLOCK_SIZES }),
    convert: async ({ signal }, request) => {
      if (signal.aborted) throw hostError('HOST_CANCELLED', { what: 'convert was cancelled', why: 'the caller asked for it', cause: signal.reason });
      return (await import('./convert.js')).convertGraph(request, (await identity()).operators !== '');
    },
    compile: async (context, request) => (await import('./compile.js')).compilePart(context, request),
    open: async (request) => (await import('./open-part.js')).openPart(request),
  };
}
