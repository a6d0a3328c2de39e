/** Encodings carried through the split and into single heads. */
import { type Encodings, type ParameterEncoding, type PerTensorEncoding, activationValues } from '@tundish/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { carryEncodings, encodingsOfPart, mhaToSha, splitModel } from '../src/index.js';
import { type RandomModel, SMALL, randomModel } from './random-model.js';

const SIZE = { ar: 7, cl: 19 };
const NONE: ReadonlyMap<string, ParameterEncoding> = new Map();
let random: RandomModel;

beforeAll(async () => {
  random = await randomModel(SMALL);
});
afterAll(() => random.remove());

const encoding = (scale: number): PerTensorEncoding => ({ kind: 'per-tensor', dtype: 'uint16', scale, zeroPoint: 7, symmetric: false });

/** An encoding of its own for every activation; caches are tied. */
function activationsOf(random: RandomModel): Map<string, PerTensorEncoding> {
  const activations = new Map(activationValues(random.adapt(SIZE).model.graph).map(({ name }, i) => [name, encoding(i + 1)]));
  for (const name of activations.keys()) {
    const leaving = activations.get(name.replace(/^(past_.*)_in$/, '$1_out'));
    if (leaving !== undefined) activations.set(name, leaving);
  }
  return activations;
}

describe('into single heads', () => {
  it('every head has the encoding of the value it comes from, and nothing is left uncovered', () => {
    const { model, renames } = mhaToSha(random.adapt(SIZE).model);
    const activations = activationsOf(random);
    const carried = carryEncodings({ activations, parameters: NONE }, renames, model);
    expect(carried.uncovered).toEqual([]);
    expect([...carried.encodings.activations.keys()]).toEqual(activationValues(model.graph).map(({ name }) => name));
    for (const [name, own] of carried.encodings.activations) {
      const origin = name.replace(/_sha(_\d+)?$/, '');
      expect(own, name).toEqual(activations.get(origin));
    }
  });

  it('each head of a cache has its own scale where it has one, and the whole keeps all of them', () => {
    const source = random.adapt(SIZE).model;
    const { model, renames } = mhaToSha(source);
    const cache: PerTensorEncoding = { kind: 'per-tensor', dtype: 'uint8', scale: 3, zeroPoint: 128, symmetric: true };
    const heads = (renames.get('past_key_0_in') ?? []).length - 1;
    expect(heads).toBeGreaterThan(1);
    const headScales = Array.from({ length: heads }, (_, i) => 3 - i);
    const keys = source.graph.value('past_key_0_in').consumers[0]?.output().name ?? '';
    const activations = activationsOf(random);
    for (const name of ['past_key_0_in', 'past_key_0_out', keys]) activations.set(name, { ...cache, headScales });
    const { activations: carried } = carryEncodings({ activations, parameters: NONE }, renames, model).encodings;
    for (const name of ['past_key_0_in', 'past_key_0_out']) expect(carried.get(name)).toEqual({ ...cache, headScales });
    for (const name of ['past_key_0_in', 'past_key_0_out', keys]) expect(headScales.map((_, i) => carried.get(`${name}_sha_${i}`))).toEqual(headScales.map((scale) => ({ ...cache, scale })));
    const part = encodingsOfPart({ activations: carried, parameters: NONE }, model).encodings.activations;
    for (const name of ['past_key_0_in', 'past_key_0_in_sha_1']) expect(part.get(name)).toEqual(carried.get(name));
    activations.set('past_key_0_in', { ...cache, headScales: [1, 2, 3, 4, 5] }).set('past_key_0_out', { ...cache, headScales: [1, 2, 3, 4, 5] });
    expect(() => carryEncodings({ activations, parameters: NONE }, renames, model)).toThrow(expect.objectContaining({ code: 'ENCODINGS_HEADS' }));
  });

  it('what only moves data takes the encoding of its source when it has none', () => {
    const { model, renames } = mhaToSha(random.adapt(SIZE).model);
    const activations = activationsOf(random);
    const joined = [...activations.keys()].find((name) => model.graph.find(name)?.producer?.opType === 'Reshape') ?? '';
    const moved = model.graph.value(joined).producer?.input(0).name ?? '';
    activations.delete(joined);
    const carried = carryEncodings({ activations, parameters: NONE }, renames, model);
    expect(carried.uncovered).toEqual([]);
    expect(carried.encodings.activations.get(joined)).toEqual(carried.encodings.activations.get(moved));
  });

  it('a computed value without an encoding is reported, once a head', () => {
    const { model, renames } = mhaToSha(random.adapt(SIZE).model);
    const activations = activationsOf(random);
    activations.delete('/model/layers.1/self_attn/Softmax_output_0');
    const { uncovered } = carryEncodings({ activations, parameters: NONE }, renames, model);
    expect(uncovered).toEqual([0, 1, 2, 3, 4, 5].map((head) => `/model/layers.1/self_attn/Softmax_output_0_sha_${head}`));
  });

  it('a joined value whose heads disagree inherits nothing', () => {
    const { model, renames } = mhaToSha(random.adapt(SIZE).model);
    const activations = activationsOf(random);
    const rotated = '/model/layers.0/self_attn/Concat_output_0';
    activations.delete(rotated);
    const { uncovered } = carryEncodings({ activations, parameters: NONE }, renames, model);
    expect(uncovered).toEqual([0, 1, 2, 3, 4, 5].map((head) => `${rotated}_sha_${head}`));
  });

  it('entries for values that are not in the graph are dropped', () => {
    const { model, renames } = mhaToSha(random.adapt(SIZE).model);
    const activations = new Map(activationsOf(random)).set('elsewhere', encoding(1));
    const carried = carryEncodings({ activations, parameters: new Map([['elsewhere.weight', encoding(1)]]) }, renames, model).encodings;
    expect([...carried.activations.keys(), ...carried.parameters.keys()].filter((name) => name.startsWith('elsewhere'))).toEqual([]);
  });

  it('weights are cut by rows: channels, and blocks with their channels', () => {
    const { model, renames } = mhaToSha(random.adapt(SIZE).model);
    const { heads, headDim } = SMALL;
    const rows = heads * headDim;
    const blocks = 5;
    const channelScale = Float32Array.from({ length: rows }, (_, row) => row);
    const blockScale = Uint8Array.from({ length: rows * blocks }, (_, i) => i % 251);
    const [query, whole] = ['model.layers.0.self_attn.q_proj.weight', 'model.layers.0.self_attn.o_proj.weight'];
    const lpbq: ParameterEncoding = { kind: 'lpbq', dtype: 'int4', blockSize: 8, channelScale, blockScale };
    const channels: ParameterEncoding = { kind: 'per-channel', dtype: 'int8', axis: 0, scale: channelScale };
    const block: ParameterEncoding = { kind: 'per-block', dtype: 'int8', blockSize: 8, channels: rows, scale: Float32Array.from(blockScale) };
    const carry = (encoding: ParameterEncoding): Encodings => carryEncodings({ activations: new Map(), parameters: new Map([[query, encoding], [whole, encoding]]) }, renames, model).encodings;
    for (let head = 0; head < heads; head++) {
      const [from, to] = [head * headDim, (head + 1) * headDim];
      expect(carry(lpbq).parameters.get(`${query}_sha_${head}`)).toEqual({ ...lpbq, channelScale: channelScale.slice(from, to), blockScale: blockScale.slice(from * blocks, to * blocks) });
      expect(carry(channels).parameters.get(`${query}_sha_${head}`)).toEqual({ ...channels, scale: channelScale.slice(from, to) });
      expect(carry(block).parameters.get(`${query}_sha_${head}`)).toEqual({ ...block, channels: headDim, scale: block.scale.slice(from * blocks, to * blocks) });
    }
    expect(carry(lpbq).parameters.get(whole)).toEqual(lpbq);
    expect(carry(lpbq).parameters.size).toBe(heads + 1);
    const uneven: ParameterEncoding = { ...channels, scale: channelScale.slice(1) };
    expect(() => carry(uneven)).toThrow(expect.objectContaining({ code: 'ENCODINGS_ROWS' }) as Error);
  });
});

describe('caches', () => {
  it('that enter take the encoding of those that leave', () => {
    const { model, renames } = mhaToSha(random.adapt(SIZE).model);
    const activations = activationsOf(random);
    activations.delete('past_key_1_in');
    const { encodings } = carryEncodings({ activations, parameters: NONE }, renames, model);
    expect(encodings.activations.get('past_key_1_in')).toEqual(activations.get('past_key_1_out'));
    expect(encodings.activations.get('past_key_1_in_sha_1')).toEqual(activations.get('past_key_1_out'));
  });

  it('with two encodings are refused', () => {
    const { model } = random.adapt(SIZE);
    const activations = activationsOf(random).set('past_value_2_in', encoding(0.5));
    expect(() => encodingsOfPart({ activations, parameters: NONE }, model)).toThrow(expect.objectContaining({ code: 'ENCODINGS_CACHE_UNTIED' }) as Error);
  });
});

it('the parts of a split share out the encodings; the value at a cut has the same one on both sides', () => {
  const { model } = random.adapt(SIZE);
  const activations = activationsOf(random);
  const parts = [1, 2].map((part) => {
    const { graph, ...header } = splitModel(model, part, 2);
    return { graph, carried: encodingsOfPart({ activations, parameters: NONE }, { ...header, graph }) };
  });
  const boundary = parts[0]?.graph.outputs[0]?.name ?? '';
  expect(parts.map(({ carried }) => carried.encodings.activations.get(boundary))).toEqual([activations.get(boundary), activations.get(boundary)]);
  expect(parts.map(({ carried }) => carried.uncovered)).toEqual([[], []]);
  const names = new Set(parts.flatMap(({ carried }) => [...carried.encodings.activations.keys()]));
  expect([...names].sort()).toEqual([...activations.keys()].sort());
});
