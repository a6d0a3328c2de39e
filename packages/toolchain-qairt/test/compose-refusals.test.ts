/** What cannot be composed is refused by name before any library is asked; and small graphs where rules of the composer meet. */
import { DataType, type Graph, type PerTensorEncoding, type Value, floatTensor, inlineTensor, int64Tensor, widenFloat16 } from '@tundish/graph';
import { ELEMENT_CODES, type PlannedData, type QnnGraphPlan, composeGraph, decodePlan } from '@tundish/toolchain-qairt';
import { describe, expect, it } from 'vitest';
import { encodingsOf, modelOf, uint16 } from '../../toolchain-host/test/small-graph.js';
import { constantData } from '../src/compose/compose-into.js';
import { encodePlan } from '../src/convert/plan-file.js';

const SHAPE = [1, 1, 4, 8];
const perm = { perm: { type: 'ints', value: [1, 0] } } as const;
const axis = (value: number) => ({ axis: { type: 'int', value } }) as const;

function input(graph: Graph, name: string, shape: readonly number[] = SHAPE): Value {
  return graph.addInput(name, DataType.FLOAT, shape);
}

function output(graph: Graph, opType: string, inputs: readonly Value[], name = 'y', attributes: Parameters<Graph['addNode']>[0]['attributes'] = {}): Value {
  const value = graph.addNode({ opType, name: `the_${name}`, inputs, outputs: [name], attributes }).output();
  graph.outputs.push(value);
  return value;
}

/** int8 codes [out, in] behind DequantizeLinear and Transpose. */
function weight(graph: Graph, name: string, [rows, columns]: readonly [number, number]): Value {
  const codes = graph.addInitializer(name, inlineTensor(DataType.INT8, [rows, columns], Uint8Array.from({ length: rows * columns }, (_, i) => i)));
  const scale = graph.addInitializer(`${name}.scale`, floatTensor(new Float32Array(rows).fill(0.5)));
  const real = graph.addNode({ opType: 'DequantizeLinear', inputs: [codes, scale], attributes: axis(0) }).output();
  return graph.addNode({ opType: 'Transpose', inputs: [real], attributes: perm }).output();
}

const channels = (rows: number) => ({ kind: 'per-channel', dtype: 'int8', axis: 0, scale: new Float32Array(rows).fill(0.5) }) as const;

function composed(build: (graph: Graph) => void, activations: Record<string, PerTensorEncoding>, parameters: Parameters<typeof encodingsOf>[1] = new Map()): ReturnType<typeof composeGraph> {
  return composeGraph(modelOf(build), encodingsOf(activations, parameters), 'small');
}

const half = uint16(0.5);

describe('refused', () => {
  it('are operators without a counterpart, all of them at once, with what there is', () => {
    const graph = (g: Graph): void => void output(g, 'Relu', [g.addNode({ opType: 'Div', name: 'strange', inputs: [input(g, 'x'), input(g, 'z')] }).output()]);
    expect(() => composed(graph, { x: half })).toThrow(expect.objectContaining({
      code: 'QAIRT_OP_UNSUPPORTED', what: 'Div strange has no counterpart, nor have Relu', why: expect.stringMatching(/^2 nodes .*: Add, Concat, .*Unsqueeze$/) as string,
    }));
  });

  it('are values that are joined from another grid', () => {
    const graph = (g: Graph): void => void output(g, 'Concat', [input(g, 'a'), input(g, 'b')], 'y', axis(3));
    expect(() => composed(graph, { a: half, b: uint16(0.25), y: half })).toThrow(expect.objectContaining({ code: 'QAIRT_CONCAT_ENCODING', what: 'b is joined into y, which has another encoding', evidence: { detail: 'uint16 scale 0.25 zero point 32768, and uint16 scale 0.5 zero point 32768' } }));
    expect(composed(graph, { a: half, b: half, y: half }).operations).toMatchObject([{ type: 'Concat', inputs: ['a', 'b'], outputs: ['y'], parameters: [{ name: 'axis', value: 3 }] }]);
  });

  it('are values without an encoding, by name', () => {
    const graph = (g: Graph): void => void output(g, 'Mul', [input(g, 'a'), input(g, 'b')]);
    expect(() => composed(graph, { a: half })).toThrow(expect.objectContaining({ code: 'QAIRT_ENCODING_MISSING', what: '2 values have no encoding: b, y' }));
  });

  it('are caches whose heads have scales of their own', () => {
    const graph = (g: Graph): void => void output(g, 'Sigmoid', [input(g, 'x', [2, 1, 4, 8])]);
    const cache = { kind: 'per-tensor', dtype: 'uint8', scale: 0.5, zeroPoint: 128, symmetric: true, headScales: [0.5, 0.25] } as const;
    expect(() => composed(graph, { x: cache })).toThrow(expect.objectContaining({ code: 'QAIRT_ENCODING_UNSUPPORTED', fix: 'set quantize.kvCache.granularity to tensor' }));
  });

  it.each([
    ['a bias', (g: Graph) => output(g, 'Add', [g.addNode({ opType: 'MatMul', name: 'm', inputs: [input(g, 'x'), weight(g, 'w', [8, 8])], outputs: ['m'] }).output(), g.addInitializer('b', floatTensor(new Float32Array(8)))]), 'QAIRT_OP_UNSUPPORTED'],
    ['a gain of an activation', (g: Graph) => output(g, 'Mul', [input(g, 'x'), g.addInitializer('c', floatTensor(new Float32Array(8)))]), 'QAIRT_OP_UNSUPPORTED'],
    ['a product with a bare constant', (g: Graph) => output(g, 'MatMul', [input(g, 'x'), g.addInitializer('c', floatTensor(new Float32Array(64), [8, 8]))]), 'QAIRT_OP_UNSUPPORTED'],
    ['a product that broadcasts', (g: Graph) => output(g, 'MatMul', [input(g, 'a', [1, 2, 4, 8]), input(g, 'b', [1, 1, 8, 4])]), 'QAIRT_OP_UNSUPPORTED'],
    ['a softmax along another axis', (g: Graph) => output(g, 'Softmax', [input(g, 'x')], 'y', axis(2)), 'QAIRT_OP_UNSUPPORTED'],
    ['a norm with a float gain', (g: Graph) => output(g, 'RMSNormalization', [input(g, 'x'), g.addInitializer('c', floatTensor(new Float32Array(8)))]), 'QAIRT_OP_UNSUPPORTED'],
    ['a weight without an encoding', (g: Graph) => output(g, 'MatMul', [input(g, 'x'), weight(g, 'unknown', [8, 8])]), 'QAIRT_WEIGHT_UNSUPPORTED'],
    ['five axes', (g: Graph) => output(g, 'Sigmoid', [input(g, 'x', [1, 1, 1, 4, 8])]), 'QAIRT_GRAPH_SHAPE'],
  ] as const)('is %s', (_title, build, code) => {
    const names = ['a', 'b', 'm', 'x', 'y'];
    expect(() => composed((g) => void build(g), Object.fromEntries(names.map((name) => [name, half])), new Map([['w', channels(8)]]))).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['float scales of blocks', { kind: 'per-block', dtype: 'int8', blockSize: 4, channels: 8, scale: new Float32Array(16) }, 'its blocks have float scales'],
    ['a scale for another number of channels', channels(7), 'its per-channel encoding does not fit [8,8]'],
  ] as const)('are weights with %s', (_title, encoding, why) => {
    const graph = (g: Graph): void => void output(g, 'MatMul', [input(g, 'x'), weight(g, 'w', [8, 8])]);
    expect(() => composed(graph, { x: half, y: half }, new Map([['w', encoding]]))).toThrow(expect.objectContaining({ code: 'QAIRT_WEIGHT_UNSUPPORTED', why }));
  });
});

describe('composed', () => {
  it('is a projection of three axes between reshapes, with its codes turned later', () => {
    const plan = composed((g) => void output(g, 'MatMul', [input(g, 'x/0', [1, 4, 8]), weight(g, 'w', [16, 8])]), { 'x/0': half, y: half }, new Map([['w', channels(16)]]));
    expect(plan.operations.map(({ type, inputs, outputs }) => [type, inputs, outputs])).toEqual([['Reshape', ['x_0'], ['x_0_nhwc']], ['Conv2d', ['x_0_nhwc', 'w'], ['y_nhwc']], ['Reshape', ['y_nhwc'], ['y']]]);
    expect(plan.inputs).toMatchObject([{ name: 'x_0', dims: [1, 4, 8] }]);
    expect(plan.tensors.find(({ name }) => name === 'w')).toMatchObject({ dims: [1, 1, 8, 16], quantization: { kind: 'axis', axis: 3, scales: new Float32Array(16).fill(0.5) }, data: { projection: { dims: [16, 8] } } });
  });

  it('converts where data is moved into another grid, and moves nothing where only axes of 1 go', () => {
    const plan = composed((g) => {
      const x = input(g, 'x');
      const flat = g.addNode({ opType: 'Reshape', inputs: [x, g.addInitializer('dims', int64Tensor([1, 4, 8]))], outputs: ['flat'] }).output();
      output(g, 'Sigmoid', [flat], 'same');
      output(g, 'Transpose', [x], 'past_key_0_out', { perm: { type: 'ints', value: [0, 1, 3, 2] } });
    }, { x: half, flat: half, past_key_0_out: { ...half, dtype: 'uint8', scale: 64, zeroPoint: 128, symmetric: true } });
    expect(plan.operations.map(({ type, inputs, outputs }) => [type, inputs, outputs])).toEqual([
      ['Sigmoid', ['x'], ['same_nhwc']], ['Reshape', ['same_nhwc'], ['same']],
      ['Transpose', ['x'], ['past_key_0_out_moved']], ['Convert', ['past_key_0_out_moved'], ['past_key_0_out']],
    ]);
    expect(plan.outputs[0]?.quantization).toEqual({ kind: 'scale_offset', scale: Math.fround(1 / 65_536), offset: 0 });
  });

  it('moves the scale of scores to the weight of the queries, unless somebody else reads them', () => {
    const build = (isRead: boolean) => (g: Graph): void => {
      const query = g.addNode({ opType: 'MatMul', inputs: [input(g, 'x'), weight(g, 'w', [8, 8])], outputs: ['query'] }).output();
      const product = g.addNode({ opType: 'MatMul', inputs: [query, input(g, 'keys', [1, 1, 8, 4])], outputs: ['product'] }).output();
      output(g, 'Mul', [product, g.addInitializer('c', floatTensor([0.25], []))], 'scores');
      if (isRead) output(g, 'Sigmoid', [query], 'other');
    };
    const encodings = { x: half, query: half, keys: half, product: uint16(4), scores: uint16(1) };
    const parameters = new Map([['w', channels(8)]]);
    const plan = composed(build(false), encodings, parameters);
    expect(plan.operations.map(({ type }) => type)).toEqual(['Conv2d', 'MatMul']);
    const scale = (name: string): unknown => plan.tensors.find((tensor) => tensor.name === name)?.quantization;
    expect(scale('query')).toMatchObject({ scale: 0.125 });
    expect(scale('w')).toMatchObject({ scales: new Float32Array(8).fill(0.125) });
    expect(scale('scores')).toMatchObject({ scale: 1 });
    expect(() => composed(build(true), encodings, parameters)).toThrow(expect.objectContaining({ code: 'QAIRT_OP_UNSUPPORTED' }));
  });

  it('leaves a matrix alone that queries and keys are rotated with, and scales what is in front of it', () => {
    const plan = composed((g) => {
      const [x, rotation] = [input(g, 'x'), weight(g, 'r', [8, 8])];
      const rotated = (name: string, rows: Value): Value => g.addNode({ opType: 'MatMul', inputs: [rows, rotation], outputs: [name] }).output();
      const query = g.addNode({ opType: 'MatMul', inputs: [x, weight(g, 'w', [8, 8])], outputs: ['query'] }).output();
      const keys = g.addNode({ opType: 'Transpose', inputs: [rotated('rotated_keys', x)], outputs: ['keys'], attributes: { perm: { type: 'ints', value: [0, 1, 3, 2] } } }).output();
      const product = g.addNode({ opType: 'MatMul', inputs: [rotated('rotated_query', query), keys], outputs: ['product'] }).output();
      output(g, 'Mul', [product, g.addInitializer('c', floatTensor([0.25], []))], 'scores');
    }, Object.fromEntries(['x', 'query', 'rotated_query', 'rotated_keys', 'keys', 'product', 'scores'].map((name) => [name, half])), new Map([['w', channels(8)], ['r', channels(8)]]));
    const grids = Object.fromEntries(plan.tensors.map(({ name, quantization }) => [name, quantization]));
    expect(grids).toMatchObject({ query: { scale: 0.125 }, rotated_query: { scale: 0.125 }, rotated_keys: { scale: 0.5 }, w: { scales: new Float32Array(8).fill(0.125) }, r: { scales: new Float32Array(8).fill(0.5) } });
    expect(plan.operations.map(({ type }) => type)).toEqual(['Conv2d', 'Conv2d', 'Transpose', 'Conv2d', 'MatMul']);
  });
});

describe('half floats', () => {
  const parameters = new Map([['w', channels(8)]]);
  const compose = (build: (graph: Graph) => void, given = parameters as Parameters<typeof encodingsOf>[1]): ReturnType<typeof composeGraph> => composeGraph(modelOf(build), encodingsOf({}, given), 'small', { precision: 'fp16' });
  const codes = (graph: Graph, name: string, dtype: DataType, bytes: Uint8Array, dims: readonly number[]): Value => graph.addInitializer(name, inlineTensor(dtype, dims, bytes));
  const scales = (graph: Graph, name: string): readonly Value[] => [graph.addInitializer(`${name}.scale`, floatTensor([0.25], [])), graph.addInitializer(`${name}.zero`, inlineTensor(DataType.UINT16, [], Uint8Array.of(2, 0)))];

  it('are every activation, without an encoding and without a Convert', () => {
    const plan = compose((g) => {
      const x = input(g, 'x');
      const y = g.addNode({ opType: 'MatMul', inputs: [x, weight(g, 'w', [8, 8])], outputs: ['m'] }).output();
      output(g, 'Add', [x, y], 'stream');
      output(g, 'Transpose', [y], 'past_key_0_out', { perm: { type: 'ints', value: [0, 1, 3, 2] } });
    });
    expect(plan.operations.map(({ type }) => type).sort()).toEqual(['Conv2d', 'ElementWiseAdd', 'Transpose']);
    for (const { name, element, quantization } of plan.tensors.filter(({ name }) => name !== 'w')) expect([name, element, quantization]).toEqual([name, ELEMENT_CODES.FLOAT_16, undefined]);
    expect(plan.tensors.find(({ name }) => name === 'w')).toMatchObject({ element: ELEMENT_CODES.SFIXED_POINT_8, quantization: { kind: 'axis' } });
    expect(decodePlan(encodePlan(plan), 'plan.json')).toEqual(plan);
  });

  it('are made of the codes of gains when the plan is applied, and of gathered rows by the processor', () => {
    const plan = compose((g) => {
      const [scale, zero] = scales(g, 'table') as [Value, Value];
      const table = codes(g, 'table', DataType.UINT16, new Uint8Array(5 * 8 * 2), [5, 8]);
      const rows = g.addNode({ opType: 'Gather', inputs: [table, g.addInput('ids', DataType.INT32, [1, 4])], outputs: ['rows'], attributes: axis(0) }).output();
      const stream = g.addNode({ opType: 'DequantizeLinear', inputs: [rows, scale, zero], outputs: ['stream'] }).output();
      const gain = g.addNode({ opType: 'DequantizeLinear', inputs: [codes(g, 'gain', DataType.UINT16, Uint8Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? i : 0)), [8]), ...scales(g, 'gain')], outputs: ['gains'] }).output();
      output(g, 'RMSNormalization', [stream, gain]);
    });
    expect(plan.operations.map(({ type, inputs }) => [type, inputs])).toEqual([['Gather', ['table', 'ids']], ['Reshape', ['stream_rows']], ['Dequantize', ['stream_codes']], ['RmsNorm', ['stream', 'gain', 'gain_beta']], ['Reshape', ['y_nhwc']]]);
    const tensor = (name: string): QnnGraphPlan['tensors'][number] => plan.tensors.find((each) => each.name === name) as QnnGraphPlan['tensors'][number];
    expect(tensor('stream_codes')).toMatchObject({ element: ELEMENT_CODES.UFIXED_POINT_16, quantization: { scale: 0.25, offset: -2 } });
    expect(tensor('gain')).toMatchObject({ element: ELEMENT_CODES.FLOAT_16, dims: [8] });
    expect(tensor('gain').quantization).toBeUndefined();
    expect(widenFloat16(constantData(tensor('gain').data as PlannedData, {}) as Uint16Array)).toEqual(Float32Array.of(-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3));
    expect(constantData(tensor('gain_beta').data as PlannedData, {})).toEqual(new Uint16Array(8));
  });

  it('are not multiplied with LPBQ weights', () => {
    const lpbq = { kind: 'lpbq', dtype: 'int4', blockSize: 4, channelScale: new Float32Array(8), blockScale: new Uint8Array(16) } as const;
    expect(() => compose((g) => void output(g, 'MatMul', [input(g, 'x'), weight(g, 'w', [8, 8])]), new Map([['w', lpbq]]))).toThrow(expect.objectContaining({ code: 'QAIRT_WEIGHT_UNSUPPORTED', fix: 'quantize weights per_channel with 4 or 8 bits' }));
  });
});
