/** ONNX Runtime settings that keep the numerics of a graph those of its nodes. */
import type { InferenceSession } from 'onnxruntime-node';
import type { SessionSpec } from './worker-protocol.js';

/**
 * Optimizers of level `basic` that change results or copy nodes: the first recomputes the scales of neighbouring Q/DQ pairs
 * (up to 177 of 65536 codes off on a small graph), the others move Q/DQ, duplicate DQ, and turn MatMul + Add into Gemm.
 */
const DISABLED_OPTIMIZERS = ['DoubleQDQPairsRemover', 'QDQPropagationTransformer', 'EnsureUniqueDQForNodeUnit', 'MatMulAddFusion'];

/** Constants of this many bytes and more go to the data file; smaller ones (shapes, scales) stay in the graph. */
const EXTERNAL_FROM_BYTES = 1024;

/** Only errors; ONNX Runtime warns about every initializer that folding leaves unused. */
const ERRORS_ONLY = 3;

export function sessionOptions(spec: SessionSpec): InferenceSession.SessionOptions {
  const session: Record<string, string> = {
    model_external_initializers_file_folder_path: spec.folder,
    qdq_matmulnbits_accuracy_level: '1',
  };
  if (spec.save !== undefined) {
    session['save_external_prepacked_constant_initializers'] = '1';
    session['optimized_model_external_initializers_file_name'] = spec.save.data;
    session['optimized_model_external_initializers_min_size_in_bytes'] = String(EXTERNAL_FROM_BYTES);
  }
  return {
    executionProviders: ['cpu'],
    graphOptimizationLevel: spec.level,
    intraOpNumThreads: spec.threads,
    interOpNumThreads: 1,
    logSeverityLevel: ERRORS_ONLY,
    // Shapes are static, so the arena settles after one run; a compile runs nothing and must give its memory back.
    enableCpuMemArena: spec.save === undefined,
    enableMemPattern: true,
    ...(spec.save === undefined ? {} : { optimizedModelFilePath: spec.save.graph }),
    extra: { session, optimization: { disable_specified_optimizers: DISABLED_OPTIMIZERS.join(';') } },
  };
}
