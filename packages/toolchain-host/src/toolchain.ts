/** The host toolchain: ONNX Runtime on the CPU as a compiler and an executor with the numerics of the device. */
import type { Toolchain } from '@tundish/toolchain';
import { hostError } from './errors.js';
import { hostIdentity } from './identity.js';
import { BLOCK_SIZES } from './block-sizes.js';

/**
 * ONNX Runtime itself is loaded by the threads of `compile` and `open`, never by the caller's; what works on graphs is
 * loaded when it is first used, since every task of a build asks for the identity.
 */
export function hostToolchain(): Toolchain {
  return {
    name: 'host',
    identity: hostIdentity,
    modules: { convert: [new URL('./convert.js', import.meta.url)], compile: [new URL('./compile.js', import.meta.url)] },
    limits: () => ({ lpbqBlockSizes: BLOCK_SIZES }),
    convert: async ({ signal }, request) => {
      if (signal.aborted) throw hostError('HOST_CANCELLED', { what: 'convert was cancelled', why: 'the caller asked for it', cause: signal.reason });
      return (await import('./convert.js')).convertGraph(request);
    },
    compile: async (context, request) => (await import('./compile.js')).compilePart(context, request),
    open: async (request) => (await import('./open-part.js')).openPart(request),
  };
}
