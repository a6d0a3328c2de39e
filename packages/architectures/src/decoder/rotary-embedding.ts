/** Rotary position embedding on halves, with cos and sin as graph inputs so that no scaling rule enters the graph. */
import { type Value, int64Tensor } from '@tundish/graph';
import { type Scope, constant, emit, emitAll, int } from './scope.js';

/** Tables of the current tokens, [1, 1, AR, D/2]; any attention scaling is already inside. */
export interface RotaryTables {
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * x [.., AR, D] with halves (x1, x2) -> (x1·cos - x2·sin, x1·sin + x2·cos): the layout of Hugging Face Llama
 * (transformers modeling_llama.py, rotate_half), not the interleaved one of the paper.
 */
export function rotate(scope: Scope, x: Value, tables: RotaryTables, headDim: number): Value {
  const halves = constant(scope, 'rotary_halves', int64Tensor([headDim / 2, headDim / 2]));
  const [first, second] = emitAll(scope, 'Split', [x, halves], { axis: int(3) }, 2) as [Value, Value];
  const real = emit(scope, 'Sub', [emit(scope, 'Mul', [first, tables.cos]), emit(scope, 'Mul', [second, tables.sin])]);
  const imaginary = emit(scope, 'Add', [emit(scope, 'Mul', [first, tables.sin]), emit(scope, 'Mul', [second, tables.cos])]);
  return emit(scope, 'Concat', [real, imaginary], { axis: int(3) });
}
