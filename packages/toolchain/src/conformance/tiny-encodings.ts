/** Encodings and inputs of the tiny decoder: ranges measured in float64, cache tied in and out, masked scores saturating. */
import { DataType, type Encodings, type Graph, type ParameterEncoding, type PerTensorEncoding, type Tensor } from '@tundish/graph';
import { simulate } from './simulate.js';
import { type TinyRequest, tinyModel } from './tiny-model.js';
import { EMBEDDING, TINY, type TinyWeights, channelBits, layerMatrices, seededRandom } from './tiny-weights.js';

/** Additive value of masked positions. */
const MASKED = -50;
const KV: PerTensorEncoding = { kind: 'per-tensor', dtype: 'uint8', scale: Math.fround(3 / 128), zeroPoint: 128, symmetric: true };
const MASK: PerTensorEncoding = { kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(-MASKED / 65535), zeroPoint: 65535, symmetric: false };
const UNIT: PerTensorEncoding = { kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(1 / 65535), zeroPoint: 0, symmetric: false };

/** Real inputs of a graph, by name; a hidden state that enters a later part is not among them. */
export function tinyInputs({ ar, cl }: Pick<TinyRequest, 'ar' | 'cl'>, seed: number): Map<string, Float64Array> {
  const { groups, headDim, layers, vocab } = TINY;
  const random = seededRandom(seed);
  const fill = (count: number, next: (i: number) => number): Float64Array => Float64Array.from({ length: count }, (_, i) => next(i));
  const past = cl - ar;
  const inputs = new Map([['input_ids', fill(ar, () => Math.floor(random() * vocab))]]);
  // Half of the past is empty, and the current tokens see only those before them.
  inputs.set('attention_mask', fill(ar * cl, (i) => (i % cl < past / 2 || (i % cl >= past && (i % cl) - past <= Math.floor(i / cl)) ? 0 : MASKED)));
  const angles = fill((ar * headDim) / 2, () => 6 * random());
  inputs.set('position_ids_cos', angles.map(Math.cos));
  inputs.set('position_ids_sin', angles.map(Math.sin));
  for (let layer = 0; layer < layers; layer++) {
    for (const role of ['key', 'value']) inputs.set(`past_${role}_${layer}_in`, fill(groups * headDim * past, () => 4 * random() - 2));
  }
  return inputs;
}

/** Every computed value that does not only move data has an entry. */
export function tinyEncodings(weights: TinyWeights): Encodings {
  const sizes = { ar: 4, cl: 16 };
  const { graph } = tinyModel({ ...sizes, part: 1, parts: 1, quantized: true }, weights);
  const bytes = weights.bytes;
  const observed = simulate({ graph, inputs: tinyInputs(sizes, 1), weights: bytes });
  const activations = new Map<string, PerTensorEncoding>();
  const constants = new Set(graph.initializers.map((value) => value.name));
  for (const node of graph.sortedNodes()) {
    if (node.inputs.every((input) => constants.has(input?.name ?? ''))) node.outputs.forEach((output) => constants.add(output.name));
  }
  for (const value of [...graph.inputs, ...graph.sortedNodes().flatMap((node) => node.outputs)]) {
    if (value.dtype !== DataType.FLOAT || constants.has(value.name)) continue;
    const encoding = encodingOf(graph, value.name, observed.get(value.name)?.data ?? new Float64Array());
    if (encoding !== undefined) activations.set(value.name, encoding);
  }
  return { activations, parameters: parameterEncodings(weights, bytes) };
}

function encodingOf(graph: Graph, name: string, data: Float64Array): PerTensorEncoding | undefined {
  const op = graph.value(name).producer?.opType;
  if (name === 'attention_mask') return MASK;
  if (/^past_/.test(name) || /(keys|values)_output_0$/.test(name)) return KV;
  if (op === 'Softmax' || op === 'Sigmoid') return UNIT;
  // Reshape and Split carry the encoding of their input; the other moves are given one, and so requantize.
  if (op === 'Reshape' || op === 'Split') return undefined;
  const low = data.reduce((lowest, x) => Math.min(lowest, x), 0);
  const high = data.reduce((highest, x) => Math.max(highest, x), 0);
  // Masked scores saturate well above the mask, as device encodings let them.
  return asymmetric(name.endsWith('masked_output_0') ? -20 : low, high);
}

/** uint16 over [low, high], which contains 0. */
function asymmetric(low: number, high: number): PerTensorEncoding {
  const scale = Math.fround((1.1 * (high - low)) / 65535);
  return { kind: 'per-tensor', dtype: 'uint16', scale, zeroPoint: Math.min(65535, Math.floor((-1.05 * low) / scale)), symmetric: false };
}

function parameterEncodings(weights: TinyWeights, bytes: Uint8Array): Map<string, ParameterEncoding> {
  const stored = (name: string): Uint8Array => slice(bytes, weights.range(name));
  const floats = (name: string): Float32Array => new Float32Array(stored(name).slice().buffer);
  const parameters = new Map<string, ParameterEncoding>();
  for (let layer = 0; layer < TINY.layers; layer++) {
    for (const [name] of layerMatrices(layer)) {
      const bits = channelBits(name);
      if (bits !== undefined) parameters.set(name, { kind: 'per-channel', dtype: `int${bits}`, axis: 0, scale: floats(`${name}.scale`) });
      else parameters.set(name, { kind: 'lpbq', dtype: 'int4', blockSize: TINY.blockSize, channelScale: floats(`${name}.channel_scale`), blockScale: stored(`${name}.block_scale`) });
    }
  }
  parameters.set('lm_head.weight', { kind: 'per-channel', dtype: 'int8', axis: 0, scale: floats('lm_head.weight.scale') });
  parameters.set('model.embed_tokens.weight', { kind: 'per-tensor', dtype: 'uint16', ...EMBEDDING, symmetric: false });
  return parameters;
}

function slice(bytes: Uint8Array, tensor: Tensor): Uint8Array {
  return tensor.kind === 'external' ? bytes.subarray(tensor.offset, tensor.offset + tensor.length) : tensor.data;
}
