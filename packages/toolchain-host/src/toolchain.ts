/** The host toolchain: ONNX Runtime on the CPU as a compiler and an executor with the numerics of the device. */
import type { Toolchain } from '@tundish/toolchain';
import { compilePart } from './compile.js';
import { convertGraph } from './convert.js';
import { hostError } from './errors.js';
import { hostIdentity } from './identity.js';
import { BLOCK_SIZES } from './lowering/weight-expression.js';
import { openPart } from './open-part.js';

/** ONNX Runtime itself is loaded by the threads of `compile` and `open`, never by the caller's. */
export function hostToolchain(): Toolchain {
  return {
    name: 'host',
    identity: hostIdentity,
    limits: () => ({ lpbqBlockSizes: BLOCK_SIZES }),
    convert: async ({ signal }, request) => {
      if (signal.aborted) throw hostError('HOST_CANCELLED', { what: 'convert was cancelled', why: 'the caller asked for it', cause: signal.reason });
      return convertGraph(request);
    },
    compile: compilePart,
    open: openPart,
  };
}
