/** ONNX Runtime settings that keep the numerics of a graph those of its nodes. */
import type { InferenceSession } from 'onnxruntime-node';
import type { SessionSpec, SessionUse } from './worker-protocol.js';

/**
 * Optimizers of level `basic` that change results: the first recomputes the scales of neighbouring Q/DQ pairs (up to 177 of
 * 65536 codes off on a small graph), the next two move Q/DQ and turn MatMul + Add into Gemm. The last adds a pair around every
 * Transpose that it meets, three of them a layer.
 */
const DISABLED_OPTIMIZERS = ['DoubleQDQPairsRemover', 'QDQPropagationTransformer', 'MatMulAddFusion', 'TransposeOptimizer'];

/** Constants of this many bytes and more go to the data file; smaller ones (shapes, scales) stay in the graph. */
const EXTERNAL_FROM_BYTES = 1024;

/** Only errors; ONNX Runtime warns about every initializer that folding leaves unused. */
const ERRORS_ONLY = 3;

export function sessionOptions({ folder, threads, use }: SessionSpec): InferenceSession.SessionOptions {
  const compile = use.kind === 'compile';
  return {
    executionProviders: ['cpu'],
    // A compiled graph has nothing left to optimise: the defaults of any level could only change its numerics.
    graphOptimizationLevel: use.kind === 'execute' ? 'disabled' : 'basic',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: ERRORS_ONLY,
    // Shapes are static, so the arena settles after one run; a compile runs nothing and must give its memory back.
    enableCpuMemArena: !compile,
    enableMemPattern: true,
    ...(compile ? { optimizedModelFilePath: use.graph } : {}),
    extra: {
      // A part has several sessions with threads of their own: idle ones that spin take the cores from the one that works
      // (a pass of 128 tokens on 2 loaded cores: 33 ms without spinning, 125 to 240 ms with it).
      session: { ...settingsOf(use), model_external_initializers_file_folder_path: folder, qdq_matmulnbits_accuracy_level: '1', 'intra_op.allow_spinning': '0' },
      optimization: { disable_specified_optimizers: DISABLED_OPTIMIZERS.join(';') },
    },
  };
}

function settingsOf(use: SessionUse): Record<string, string> {
  if (use.kind === 'execute') return {};
  // Otherwise every DequantizeLinear is copied for each reader, and folding stops before dequantized weights.
  const plain = { disable_quant_qdq: '1' };
  if (use.kind === 'reference') return plain;
  return {
    ...plain,
    save_external_prepacked_constant_initializers: use.prepack ? '1' : '0',
    optimized_model_external_initializers_file_name: use.data,
    optimized_model_external_initializers_min_size_in_bytes: String(EXTERNAL_FROM_BYTES),
  };
}
