/** One pre-norm decoder block with two residual additions, the block of Llama, Mistral and Qwen. */
import type { Value } from '@tundish/graph';
import { type AttentionInputs, type AttentionShape, attention } from './attention.js';
import { type MlpShape, gatedMlp } from './gated-mlp.js';
import { rmsNorm } from './rms-norm.js';
import { type Scope, emit, within } from './scope.js';

export interface BlockShape {
  readonly attention: AttentionShape;
  readonly mlp: MlpShape;
  /** Epsilon of both norms. */
  readonly epsilon: number;
}

/** The residual stream after each half of a block, [1, AR, H]. */
export interface BlockStream {
  readonly afterAttention: Value;
  readonly output: Value;
}

/** x [1, AR, H] -> x + attention(norm(x)) -> that + mlp(norm(that)). */
export function decoderBlock(scope: Scope, x: Value, inputs: AttentionInputs, layer: number, shape: BlockShape): BlockStream {
  const { hidden } = shape.mlp;
  const attended = attention(within(scope, 'self_attn'), rmsNorm(within(scope, 'input_layernorm'), x, hidden, shape.epsilon), inputs, layer, shape.attention);
  const afterAttention = emit(scope, 'Add', [x, attended]);
  const fed = gatedMlp(within(scope, 'mlp'), rmsNorm(within(scope, 'post_attention_layernorm'), afterAttention, hidden, shape.epsilon), shape.mlp);
  return { afterAttention, output: emit(scope, 'Add', [afterAttention, fed]) };
}
