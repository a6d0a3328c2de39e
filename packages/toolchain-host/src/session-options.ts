/** ONNX Runtime settings that keep the numerics of a graph those of its nodes. */
import type { SessionOptions } from './onnx-binding.js';
import type { SessionSpec, SessionUse } from './worker-protocol.js';

/**
 * Optimizers of level `basic` that change results: the first recomputes the scales of neighbouring Q/DQ pairs (up to 177 of
 * 65536 codes off on a small graph), the next two move Q/DQ and turn MatMul + Add into Gemm. The last adds a pair around every
 * Transpose that it meets, three of them a layer.
 */
const DISABLED_OPTIMIZERS = ['DoubleQDQPairsRemover', 'QDQPropagationTransformer', 'MatMulAddFusion', 'TransposeOptimizer'];

/** Constants of this many bytes and more go to the data file; smaller ones (shapes, scales) stay in the graph. */
export const EXTERNAL_FROM_BYTES = 1024;

/** Somewhat longer than the operations between two that are computed by all threads. */
const SPIN_MICROSECONDS = '50';

export function sessionOptions({ folder, threads, use }: SessionSpec): SessionOptions {
  const compile = use.kind === 'compile';
  return {
    // A compiled graph has nothing left to optimise: the defaults of any level could only change its numerics.
    optimize: use.kind !== 'execute',
    threads,
    // Shapes are static, so the arena settles after one run; a compile runs nothing and must give its memory back.
    arena: !compile,
    ...(compile ? { saveAs: use.graph } : {}),
    entries: {
      ...settingsOf(use),
      'session.model_external_initializers_file_folder_path': folder,
      'session.qdq_matmulnbits_accuracy_level': '1',
      // Threads wait for the next operation of a pass without sleeping, but no longer: sessions of other parts and graphs that
      // spin take the cores from the one that works. SmolLM2-135M on 2 cores: 47 tok/s, 41 with no spinning at all; with two
      // other busy processes 27, 33, and 21 with the spinning that is the default.
      'session.intra_op.allow_spinning': '1',
      'session.intra_op.spin_duration_us': SPIN_MICROSECONDS,
      'optimization.disable_specified_optimizers': DISABLED_OPTIMIZERS.join(';'),
    },
  };
}

function settingsOf(use: SessionUse): Record<string, string> {
  if (use.kind === 'execute') return {};
  // Otherwise every DequantizeLinear is copied for each reader, and folding stops before dequantized weights.
  const plain = { 'session.disable_quant_qdq': '1' };
  if (use.kind === 'reference') return plain;
  return {
    ...plain,
    'session.save_external_prepacked_constant_initializers': use.prepack ? '1' : '0',
    'session.optimized_model_external_initializers_file_name': use.data,
    'session.optimized_model_external_initializers_min_size_in_bytes': String(EXTERNAL_FROM_BYTES),
  };
}
