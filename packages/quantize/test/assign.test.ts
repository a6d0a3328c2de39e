import { DataType, Graph, type PerTensorEncoding, type Value, activationValues, floatTensor } from '@tundish/graph';
import { describe, expect, test } from 'vitest';
import { type Range, assignEncodings } from '../src/index.js';
import { symmetricCache } from '../src/calibration/encoding-rules.js';
import { observedValues } from '../src/calibration/activations.js';

/** A graph of FLOAT [1,1,2,4] values; names are those of the values. */
function add(graph: Graph, opType: string, output: string, inputs: readonly Value[]): Value {
  const value = graph.addNode({ opType, name: `/${output}`, inputs, outputs: [output] }).output();
  value.dtype = DataType.FLOAT;
  value.shape = [1, 1, 2, 4];
  return value;
}

const input = (graph: Graph, name: string): Value => graph.addInput(name, DataType.FLOAT, [1, 1, 2, 4]);

function assign(graph: Graph, ranges: Record<string, Range>, fixed: Record<string, PerTensorEncoding> = {}, attentionScaling = 1, caches: Record<string, PerTensorEncoding> = {}): ReturnType<typeof assignEncodings> {
  return assignEncodings({ graph, ranges: new Map(Object.entries(ranges)), attentionScaling, fixed: new Map(Object.entries(fixed)), caches: new Map(Object.entries(caches)) });
}

const TABLE: PerTensorEncoding = { kind: 'per-tensor', dtype: 'uint16', scale: 0.125, zeroPoint: 7, symmetric: false };
const step = (span: number): number => Math.fround(span / 65535);

describe('ties', () => {
  test('inputs of a Concat take the encoding of its output, which spans both', () => {
    const graph = new Graph('concat');
    const x = input(graph, 'hidden');
    const a = add(graph, 'Neg', 'a', [x]);
    const b = add(graph, 'Exp', 'b', [x]);
    add(graph, 'Concat', 'joined', [a, b]);
    const { activations } = assign(graph, { a: { min: -3, max: 1 }, b: { min: 0, max: 5 } }, { hidden: TABLE });
    expect(activations.get('joined')).toMatchObject({ scale: step(8) });
    expect(activations.get('a')).toEqual(activations.get('joined'));
    expect(activations.get('b')).toEqual(activations.get('joined'));
  });

  test('what went into the cache comes out under the same encoding, and the update moves codes', () => {
    const graph = new Graph('cache');
    const x = input(graph, 'hidden');
    const past = input(graph, 'past_key_3_in');
    const key = add(graph, 'Neg', 'rotated', [x]);
    const fresh = add(graph, 'Transpose', 'past_key_3_out', [key]);
    add(graph, 'Concat', 'all_keys', [past, fresh]);
    const cache = symmetricCache({ min: -2, max: 1.27 }, 8);
    const { activations } = assign(graph, { rotated: { min: -2, max: 1.27 } }, { hidden: TABLE }, 1, { past_key_3_out: cache });
    for (const name of ['past_key_3_in', 'past_key_3_out', 'all_keys']) expect(activations.get(name), name).toEqual(cache);
    expect(activations.get('rotated')).toMatchObject({ dtype: 'uint16' });
    expect(() => assign(graph, { rotated: { min: -2, max: 1.27 } }, { hidden: TABLE })).toThrow(expect.objectContaining({ code: 'QUANTIZE_RANGE_NOT_FINITE', what: expect.stringContaining('past_key_3_out') as string }));
  });

  test('values that only move data carry the encoding of what they move', () => {
    const graph = new Graph('movement');
    const x = input(graph, 'hidden');
    const a = add(graph, 'Neg', 'a', [x]);
    const moved = ['Reshape', 'Transpose', 'Unsqueeze', 'Slice', 'Split', 'Identity', 'Expand', 'Squeeze'];
    moved.reduce((value, op) => add(graph, op, op, [value]), a);
    const { activations } = assign(graph, { a: { min: -3, max: 1 } }, { hidden: TABLE });
    for (const op of moved) expect(activations.get(op), op).toBe(activations.get('a'));
  });
});

describe('fixed ranges', () => {
  test('Softmax and Sigmoid are [0, 1] whatever was measured', () => {
    const graph = new Graph('unit');
    const x = input(graph, 'hidden');
    add(graph, 'Softmax', 'p', [x]);
    add(graph, 'Sigmoid', 's', [x]);
    const { activations } = assign(graph, { p: { min: 0.2, max: 0.4 } }, { hidden: TABLE });
    for (const name of ['p', 's']) expect(activations.get(name)).toMatchObject({ scale: step(1), zeroPoint: 0 });
  });

  test('cos and sin cover the attention factor on both sides', () => {
    const graph = new Graph('rope');
    input(graph, 'position_ids_cos');
    input(graph, 'position_ids_sin');
    const { activations } = assign(graph, {}, {}, 1.5);
    for (const name of ['position_ids_cos', 'position_ids_sin']) expect(activations.get(name)).toMatchObject({ scale: step(3), zeroPoint: 32768 });
  });

  test('an encoding that is known beforehand stays, also under a Concat', () => {
    const graph = new Graph('known');
    const x = input(graph, 'hidden');
    const a = add(graph, 'Neg', 'a', [x]);
    add(graph, 'Concat', 'joined', [x, a]);
    const { activations } = assign(graph, { a: { min: -1, max: 1 }, hidden: { min: -9, max: 9 } }, { hidden: TABLE });
    expect(activations.get('hidden')).toBe(TABLE);
    expect(activations.get('a')).toMatchObject({ scale: step(18) });
  });
});

test('masked scores reach 20 below the smallest score, and the mask pushes all of them there', () => {
  const graph = new Graph('mask');
  const mask = input(graph, 'attention_mask');
  const x = input(graph, 'hidden');
  const scores = [0, 1].map((i) => add(graph, 'Mul', `scores${i}`, [x, x]));
  scores.forEach((value, i) => add(graph, 'Add', `masked${i}`, i === 0 ? [value, mask] : [mask, value]));
  const ranges = { scores0: { min: -5, max: 12 }, scores1: { min: -40, max: 30 }, masked0: { min: -1e9, max: 12 }, masked1: { min: -1e9, max: 30 } };
  const { activations, maskValue } = assign(graph, ranges, { hidden: TABLE });
  expect(maskValue).toBe(-100);
  expect(activations.get('attention_mask')).toMatchObject({ scale: Math.fround(100 / 65535), zeroPoint: 65535 });
  expect(activations.get('masked0')).toMatchObject({ scale: step(12 + 25) });
  expect(activations.get('masked1')).toMatchObject({ scale: step(30 + 60) });
  expect(activations.get('scores1')).toMatchObject({ scale: step(70) });
});

test('every activation gets an encoding; constants and ids get none', () => {
  const graph = new Graph('all');
  const ids = graph.addInput('input_ids', DataType.INT32, [1, 2]);
  const x = input(graph, 'hidden');
  const gain = graph.addInitializer('gain', floatTensor([1, 2, 3, 4]));
  const widened = add(graph, 'Neg', 'negated gain', [gain]);
  const y = add(graph, 'Mul', 'y', [x, widened]);
  add(graph, 'Reshape', 'z', [y]);
  expect(activationValues(graph).map(({ name }) => name)).toEqual(['hidden', 'y', 'z']);
  expect(observedValues(graph).map(({ name }) => name)).toEqual(['y']);
  const { activations } = assign(graph, { y: { min: 0, max: 1 } }, { hidden: TABLE });
  expect([...activations.keys()].sort()).toEqual(['hidden', 'y', 'z']);
  expect(activations.has(ids.name)).toBe(false);
});

describe('errors', () => {
  const graph = new Graph('faulty');
  add(graph, 'Mul', 'sum', [input(graph, 'hidden')]);

  test.each([NaN, Infinity, -Infinity])('a range that holds %s names the value', (bad) => {
    expect(() => assign(graph, { sum: { min: 0, max: bad } }, { hidden: TABLE })).toThrow(expect.objectContaining({ code: 'QUANTIZE_RANGE_NOT_FINITE', what: expect.stringContaining('sum') as string }));
  });

  test('a value that was not measured is an error, not floating point', () => {
    expect(() => assign(graph, {}, { hidden: TABLE })).toThrow(expect.objectContaining({ code: 'QUANTIZE_RANGE_NOT_FINITE', what: expect.stringContaining('no range was measured for sum') as string }));
  });
});
