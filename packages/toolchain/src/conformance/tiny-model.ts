/** The decoder that the conformance suite builds: two layers in the adapted form, whole or cut between the layers. */
import { type Attribute, DataType, Graph, type Model, type Tensor, type Value, floatTensor, inlineTensor, bytesOf, inferShapes, int64Tensor } from '@tundish/graph';
import { EMBEDDING, TINY, type TinyWeights, channelBits } from './tiny-weights.js';

export interface TinyRequest {
  readonly ar: number;
  readonly cl: number;
  readonly part: number;
  readonly parts: 1 | 2;
  /** Weights as codes with dequantization expressions; else float32. */
  readonly quantized: boolean;
}

/** Stream between the layers. */
export const BOUNDARY = '/model/layers.0/Add_1_output_0';

const int = (value: number): Attribute => ({ type: 'int', value });
const ints = (...value: number[]): Attribute => ({ type: 'ints', value });

export function tinyModel(request: TinyRequest, weights: TinyWeights): Model {
  const graph = new Graph('tiny');
  const model: Model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'conformance', metadata: new Map(), graph };
  new TinyBuilder(graph, request, weights).build();
  inferShapes(model);
  return model;
}

class TinyBuilder {
  constructor(
    readonly graph: Graph,
    readonly request: TinyRequest,
    readonly weights: TinyWeights,
  ) {}

  build(): void {
    const { graph, request } = this;
    const { ar, cl, part, parts } = request;
    const { hidden, headDim } = TINY;
    const first = part === 1;
    const last = part === parts;
    const entry = first ? graph.addInput('input_ids', DataType.INT32, [1, ar]) : graph.addInput(BOUNDARY, DataType.FLOAT, [1, ar, hidden]);
    const mask = graph.addInput('attention_mask', DataType.FLOAT, [1, 1, ar, cl]);
    const cos = graph.addInput('position_ids_cos', DataType.FLOAT, [1, 1, ar, headDim / 2]);
    const sin = graph.addInput('position_ids_sin', DataType.FLOAT, [1, 1, ar, headDim / 2]);
    let stream = first ? this.#embedding(entry) : entry;
    const caches: Value[] = [];
    for (let layer = first ? 0 : 1; layer < (last ? TINY.layers : 1); layer++) {
      const block = this.#block(layer, stream, { mask, cos, sin });
      stream = block.stream;
      caches.push(block.key, block.value);
    }
    graph.outputs.push(last ? this.#head(stream) : stream, ...caches);
  }

  #embedding(ids: Value): Value {
    const name = 'model.embed_tokens.weight';
    const output = '/model/embed_tokens/Gather_output_0';
    if (!this.request.quantized) return this.#node('Gather', output, [this.#constant(name, this.weights.range(`${name}.float`)), ids], { axis: int(0) });
    const codes = this.#node('Gather', `${output}_codes_picked`, [this.#constant(name, this.weights.range(name)), ids], { axis: int(0) });
    const zero = inlineTensor(DataType.UINT16, [], bytesOf(Uint16Array.of(EMBEDDING.zeroPoint)));
    return this.#node('DequantizeLinear', output, [codes, this.#constant(`${name}.scale`, floatTensor([EMBEDDING.scale], [])), this.#constant(`${name}.zero_point`, zero)]);
  }

  #block(layer: number, stream: Value, inputs: { mask: Value; cos: Value; sin: Value }): { stream: Value; key: Value; value: Value } {
    const { groups, headDim } = TINY;
    const { ar, cl } = this.request;
    const at = `/model/layers.${layer}`;
    const weight = (role: string): string => `model.layers.${layer}.${role}.weight`;
    const pastKey = this.graph.addInput(`past_key_${layer}_in`, DataType.FLOAT, [groups, 1, headDim, cl - ar]);
    const pastValue = this.graph.addInput(`past_value_${layer}_in`, DataType.FLOAT, [groups, 1, cl - ar, headDim]);
    const normed = this.#norm(stream, weight('input_layernorm'), `${at}/input_layernorm/output_0`);
    const query = this.#rope(this.#heads(normed, layer, 'q', TINY.heads), inputs, `${at}/q_rope`);
    const key = this.#transpose(this.#rope(this.#heads(normed, layer, 'k', groups), inputs, `${at}/k_rope`), [1, 0, 3, 2], `past_key_${layer}_out`);
    const value = this.#transpose(this.#heads(normed, layer, 'v', groups), [1, 0, 2, 3], `past_value_${layer}_out`);
    const keys = this.#node('Concat', `${at}/keys_output_0`, [pastKey, key], { axis: int(3) });
    const values = this.#node('Concat', `${at}/values_output_0`, [pastValue, value], { axis: int(2) });
    const mixed = this.#attention(query, keys, values, inputs.mask, at);
    const attended = this.#linear(mixed, weight('self_attn.o_proj'), `${at}/self_attn/o_proj/MatMul_output_0`);
    const middle = this.#node('Add', `${at}/Add_output_0`, [stream, attended]);
    const inner = this.#norm(middle, weight('post_attention_layernorm'), `${at}/post_attention_layernorm/output_0`);
    const gate = this.#linear(inner, weight('mlp.gate_proj'), `${at}/mlp/gate_proj/MatMul_output_0`);
    const up = this.#linear(inner, weight('mlp.up_proj'), `${at}/mlp/up_proj/MatMul_output_0`);
    const silu = this.#node('Mul', `${at}/mlp/silu_output_0`, [gate, this.#node('Sigmoid', `${at}/mlp/Sigmoid_output_0`, [gate])]);
    const product = this.#node('Mul', `${at}/mlp/Mul_output_0`, [silu, up]);
    const down = this.#linear(product, weight('mlp.down_proj'), `${at}/mlp/down_proj/MatMul_output_0`);
    return { stream: this.#node('Add', `${at}/Add_1_output_0`, [middle, down]), key, value };
  }

  /** [1,AR,heads*D] to [1,heads,AR,D]. */
  #heads(normed: Value, layer: number, which: string, heads: number): Value {
    const at = `/model/layers.${layer}/self_attn/${which}_proj`;
    const flat = this.#linear(normed, `model.layers.${layer}.self_attn.${which}_proj.weight`, `${at}/MatMul_output_0`);
    return this.#transpose(this.#reshape(flat, [1, this.request.ar, heads, TINY.headDim], `${at}/Reshape_output_0`), [0, 2, 1, 3], `${at}/Transpose_output_0`);
  }

  #rope(x: Value, { cos, sin }: { cos: Value; sin: Value }, at: string): Value {
    const halves = this.graph.addNode({ opType: 'Split', name: `${at}/Split`, inputs: [x], outputs: 2, attributes: { axis: int(-1), num_outputs: int(2) } });
    const [left, right] = [halves.output(0), halves.output(1)];
    const term = (a: Value, b: Value, name: string): Value => this.#node('Mul', `${at}/${name}_output_0`, [a, b]);
    const real = this.#node('Sub', `${at}/Sub_output_0`, [term(left, cos, 'left_cos'), term(right, sin, 'right_sin')]);
    const imaginary = this.#node('Add', `${at}/Add_output_0`, [term(right, cos, 'right_cos'), term(left, sin, 'left_sin')]);
    return this.#node('Concat', `${at}/Concat_output_0`, [real, imaginary], { axis: int(-1) });
  }

  #attention(query: Value, keys: Value, values: Value, mask: Value, at: string): Value {
    const { heads, groups, headDim } = TINY;
    const { ar } = this.request;
    const grouped = this.#reshape(query, [groups, heads / groups, ar, headDim], `${at}/q_groups_output_0`);
    const scores = this.#node('MatMul', `${at}/scores_output_0`, [grouped, keys]);
    const scaled = this.#node('Mul', `${at}/scaled_output_0`, [scores, this.#constant(`${at}.scale`, floatTensor([1 / Math.sqrt(headDim)], []))]);
    const masked = this.#node('Add', `${at}/masked_output_0`, [scaled, mask]);
    const weights = this.#node('Softmax', `${at}/Softmax_output_0`, [masked], { axis: int(-1) });
    const mixed = this.#node('MatMul', `${at}/mixed_output_0`, [weights, values]);
    const joined = this.#reshape(mixed, [1, heads, ar, headDim], `${at}/joined_output_0`);
    return this.#reshape(this.#transpose(joined, [0, 2, 1, 3], `${at}/turned_output_0`), [1, ar, heads * headDim], `${at}/flat_output_0`);
  }

  #head(stream: Value): Value {
    return this.#linear(this.#norm(stream, 'model.norm.weight', '/model/norm/output_0'), 'lm_head.weight', 'logits');
  }

  #norm(x: Value, weight: string, output: string): Value {
    return this.#node('RMSNormalization', output, [x, this.#constant(weight, this.weights.range(weight))], { axis: int(-1), epsilon: { type: 'float', value: 1e-5 } });
  }

  #linear(x: Value, name: string, output: string): Value {
    const transposed = this.#transpose(this.#matrix(name), [1, 0], `${name}_transposed`);
    return this.#node('MatMul', output, [x, transposed]);
  }

  #matrix(name: string): Value {
    const range = (suffix: string): Value => this.#constant(`${name}${suffix}`, this.weights.range(`${name}${suffix}`));
    if (!this.request.quantized) return range('.float');
    const bits = channelBits(name);
    if (bits !== undefined) return this.#node('DequantizeLinear', `${name}_dequantized`, [range(''), range('.scale'), ...(bits === 4 ? [range('.zero_point')] : [])], { axis: int(0) });
    const widened = this.#node('Cast', `${name}_widened`, [range('.block_scale')], { to: int(DataType.FLOAT) });
    const scale = this.#node('Mul', `${name}_scale`, [widened, range('.channel_scale')]);
    return this.#node('DequantizeLinear', `${name}_dequantized`, [range(''), scale, range('.zero_point')], { axis: int(1), block_size: int(TINY.blockSize) });
  }

  #transpose(x: Value, perm: readonly number[], output: string): Value {
    return this.#node('Transpose', output, [x], { perm: ints(...perm) });
  }

  #reshape(x: Value, dims: readonly number[], output: string): Value {
    return this.#node('Reshape', output, [x, this.#constant(`${output}.dims`, int64Tensor(dims))]);
  }

  #constant(name: string, tensor: Tensor): Value {
    return this.graph.find(name) ?? this.graph.addInitializer(name, tensor);
  }

  #node(opType: string, output: string, inputs: readonly Value[], attributes: Record<string, Attribute> = {}): Value {
    return this.graph.addNode({ opType, name: `${output}/${opType}`, inputs, outputs: [output], attributes }).output();
  }
}
