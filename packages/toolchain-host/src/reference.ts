/** The reference of parity checks and the engine of calibration: ONNX Runtime on a graph as it stands. */
import type { ReferenceExecutor } from '@tundish/toolchain';
import { hostIdentity } from './identity.js';

/**
 * Weights in float32 are mapped; bfloat16, float16 and dequantized ones are widened once, when the model is opened, apart
 * from quantized ones whose encodings are given and from tables, of which only the rows that are looked up are widened.
 * Optimizers that change results are off.
 *
 * `open` throws HOST_FILE_MISSING, HOST_GRAPH_TYPE (an input or output without static shape or of another type than
 * float32, uint8, uint16, int32) and HOST_SESSION_FAILED; `run` throws HOST_INPUT, HOST_OUTPUT and HOST_RUN_FAILED.
 */
export function hostReference(): ReferenceExecutor {
  return {
    identity: () => hostIdentity('standard'),
    modules: [new URL('./open-model.js', import.meta.url)],
    open: async (request) => (await import('./open-model.js')).openModel(request),
  };
}
