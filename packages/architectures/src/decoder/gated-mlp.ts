/** Gated feed-forward network: down(silu(gate(x)) · up(x)). */
import type { Value } from '@tundish/graph';
import { projection } from './projection.js';
import { type Scope, emit, within } from './scope.js';

export interface MlpShape {
  readonly hidden: number;
  readonly ffn: number;
  readonly bias: boolean;
}

/** [1, AR, H] -> [1, AR, H]. SiLU is x · sigmoid(x) in two nodes: the opset has no single one. */
export function gatedMlp(scope: Scope, x: Value, { hidden, ffn, bias }: MlpShape): Value {
  const widen = { inFeatures: hidden, outFeatures: ffn, bias };
  const gate = projection(within(scope, 'gate_proj'), x, widen);
  const up = projection(within(scope, 'up_proj'), x, widen);
  const silu = within(scope, 'act_fn');
  const activated = emit(silu, 'Mul', [gate, emit(silu, 'Sigmoid', [gate])]);
  return projection(within(scope, 'down_proj'), emit(scope, 'Mul', [activated, up]), { inFeatures: ffn, outFeatures: hidden, bias });
}
