/** Causal attention over a fixed cache window: past and current keys and values are concatenated, only new ones leave. */
import { DataType, type Value, floatTensor, int64Tensor } from '@tundish/graph';
import { projection } from './projection.js';
import { type RotaryTables, rotate } from './rotary-embedding.js';
import { type Scope, constant, emit, int, ints, within } from './scope.js';

export interface AttentionShape {
  readonly hidden: number;
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; divides `heads`. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly bias: boolean;
  /** Tokens of a pass. */
  readonly ar: number;
  /** Positions attended to, past and current. */
  readonly cl: number;
}

/** What every attention module reads besides the hidden state. */
export interface AttentionInputs extends RotaryTables {
  /** Additive, [1, 1, AR, CL]. */
  readonly mask: Value;
}

/** Where the cache of one layer enters. */
interface Cache {
  /** [g, 1, D, CL-AR]: keys are kept transposed, ready for the product. */
  readonly key: Value;
  /** [g, 1, CL-AR, D]. */
  readonly value: Value;
}

/** Declares `past_key_{layer}_in` and `past_value_{layer}_in`. */
function cacheInputs(scope: Scope, layer: number, shape: AttentionShape): Cache {
  const past = shape.cl - shape.ar;
  return {
    key: scope.graph.addInput(`past_key_${layer}_in`, DataType.FLOAT, [shape.kvHeads, 1, shape.headDim, past]),
    value: scope.graph.addInput(`past_value_${layer}_in`, DataType.FLOAT, [shape.kvHeads, 1, past, shape.headDim]),
  };
}

/** [1, AR, g·m·D] -> [g, m, AR, D]: heads that share a key head lie together, so a product broadcasts over m. */
function splitHeads(scope: Scope, x: Value, name: string, members: number, shape: AttentionShape): Value {
  const dims = constant(scope, name, int64Tensor([shape.ar, shape.kvHeads, members, shape.headDim]));
  return emit(scope, 'Transpose', [emit(scope, 'Reshape', [x, dims])], { perm: ints(1, 2, 0, 3) });
}

/**
 * Hidden state [1, AR, H] -> attention output [1, AR, H]. Adds the cache inputs and outputs of `layer`:
 * `past_key_{layer}_out` [g, 1, D, AR] (after rotation) and `past_value_{layer}_out` [g, 1, AR, D].
 */
export function attention(scope: Scope, x: Value, inputs: AttentionInputs, layer: number, shape: AttentionShape): Value {
  const { hidden, heads, kvHeads, headDim, bias, ar } = shape;
  const past = cacheInputs(scope, layer, shape);
  const project = (module: string, count: number): Value => projection(within(scope, module), x, { inFeatures: hidden, outFeatures: count * headDim, bias });

  const query = rotate(scope, splitHeads(scope, project('q_proj', heads), 'query_heads', heads / kvHeads, shape), inputs, headDim);
  const key = rotate(scope, splitHeads(scope, project('k_proj', kvHeads), 'key_value_heads', 1, shape), inputs, headDim);
  const newKey = emit(scope, 'Transpose', [key], { perm: ints(0, 1, 3, 2) }, `past_key_${layer}_out`);
  const valueDims = constant(scope, 'key_value_heads', int64Tensor([ar, kvHeads, 1, headDim]));
  const valueRows = emit(scope, 'Reshape', [project('v_proj', kvHeads), valueDims]);
  const newValue = emit(scope, 'Transpose', [valueRows], { perm: ints(1, 2, 0, 3) }, `past_value_${layer}_out`);
  scope.graph.outputs.push(newKey, newValue);

  const keys = emit(scope, 'Concat', [past.key, newKey], { axis: int(3) });
  const values = emit(scope, 'Concat', [past.value, newValue], { axis: int(2) });
  const scale = constant(scope, 'attention_scale', floatTensor([1 / Math.sqrt(headDim)], []));
  const scores = emit(scope, 'Mul', [emit(scope, 'MatMul', [query, keys]), scale]);
  const weights = emit(scope, 'Softmax', [emit(scope, 'Add', [scores, inputs.mask])], { axis: int(-1) });
  const context = emit(scope, 'Transpose', [emit(scope, 'MatMul', [weights, values])], { perm: ints(2, 0, 1, 3) });
  const joined = emit(scope, 'Reshape', [context, constant(scope, 'joined_heads', int64Tensor([1, ar, heads * headDim]))]);
  return projection(within(scope, 'o_proj'), joined, { inFeatures: heads * headDim, outFeatures: hidden, bias });
}
