/** Inferred types and shapes are those that ONNX Runtime gives, for every operator of the table. */
import { TundishError } from '@tundish/diagnostics';
import { describe, expect, test } from 'vitest';
import { type Attribute, DataType as T, Graph, type Model, type Tensor, decodeModel, encodeModel, floatTensor, inferShapes, inlineTensor, int64Tensor, knownOps } from '../src/index.js';
import { modelOf } from './models.js';
import { ortType, runOrt } from './onnx-runtime.js';

type Operand = Tensor | { readonly input: readonly number[]; readonly dtype?: T } | undefined;

interface Case {
  readonly op: string;
  readonly inputs: readonly Operand[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly outputs?: number;
}

const f = (...input: number[]): Operand => ({ input });
const typed = (dtype: T, ...input: number[]): Operand => ({ input, dtype });
const ints = (...values: number[]): Tensor => int64Tensor(values);
const int = (value: number): Attribute => ({ type: 'int', value });
const list = (...value: number[]): Attribute => ({ type: 'ints', value });
const bytes = (dtype: T, ...dims: number[]): Tensor => inlineTensor(dtype, dims, new Uint8Array(Math.ceil((dims.reduce((a, b) => a * b, 1) * (dtype === T.UINT4 ? 4 : dtype === T.UINT16 ? 16 : 8)) / 8)));
const ones = (...dims: number[]): Tensor => floatTensor(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(1), dims);

const CASES: readonly Case[] = [
  { op: 'Add', inputs: [f(2, 1, 4), f(3, 1)] },
  { op: 'Sub', inputs: [f(4), f(2, 3, 4)] },
  { op: 'Mul', inputs: [f(2, 3), f()] },
  { op: 'Div', inputs: [f(2, 3), ones(3)] },
  { op: 'Pow', inputs: [f(2, 3), int64Tensor([2], [])] },
  ...['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'].map((op): Case => ({ op, inputs: [typed(T.UINT8, 2, 3), bytes(T.UINT8, 1, 3)] })),
  { op: 'BitShift', inputs: [typed(T.UINT8, 2, 3), bytes(T.UINT8, 3)], attributes: { direction: { type: 'string', value: 'RIGHT' } } },
  { op: 'Where', inputs: [typed(T.BOOL, 2, 1), f(3), f(1, 1)] },
  { op: 'Cast', inputs: [f(2, 3)], attributes: { to: int(T.INT32) } },
  ...['Sigmoid', 'Relu', 'Identity'].map((op): Case => ({ op, inputs: [f(2, 3)] })),
  { op: 'Softmax', inputs: [f(2, 3, 4)], attributes: { axis: int(-1) } },
  { op: 'RMSNormalization', inputs: [f(1, 3, 8), ones(8)], attributes: { axis: int(-1) } },
  { op: 'MatMul', inputs: [f(2, 3), f(3, 4)] },
  { op: 'MatMul', inputs: [f(2, 3, 5, 4), f(2, 1, 4, 6)] },
  { op: 'MatMul', inputs: [f(3), f(3, 4)] },
  { op: 'MatMul', inputs: [f(5, 2, 3), f(3)] },
  { op: 'Transpose', inputs: [f(2, 3, 4)], attributes: { perm: list(2, 0, 1) } },
  { op: 'Transpose', inputs: [f(2, 3)] },
  { op: 'Reshape', inputs: [f(2, 3, 4), ints(0, -1, 2)] },
  { op: 'Reshape', inputs: [f(0, 4), ints(4, 0)], attributes: { allowzero: int(1) } },
  { op: 'Squeeze', inputs: [f(1, 3, 1), ints(-1)] },
  { op: 'Squeeze', inputs: [f(1, 3, 1)] },
  { op: 'Unsqueeze', inputs: [f(3, 4), ints(0, -1)] },
  { op: 'Expand', inputs: [f(3, 1), ints(2, 1, 6)] },
  { op: 'Concat', inputs: [f(2, 3), f(2, 5)], attributes: { axis: int(-1) } },
  { op: 'Split', inputs: [f(2, 6), ints(2, 4)], attributes: { axis: int(1) }, outputs: 2 },
  { op: 'Split', inputs: [f(7, 2)], attributes: { num_outputs: int(3) }, outputs: 3 },
  { op: 'Slice', inputs: [f(10, 20), ints(1, -5), ints(9, Number.MAX_SAFE_INTEGER), ints(0, 1), ints(3, 2)] },
  { op: 'Slice', inputs: [f(10, 20), ints(-1), ints(-100), ints(1), ints(-3)] },
  { op: 'Slice', inputs: [f(10, 20), ints(8), ints(3)] },
  { op: 'Gather', inputs: [f(7, 3), typed(T.INT64, 2, 5)] },
  { op: 'Gather', inputs: [f(7, 3), typed(T.INT32)], attributes: { axis: int(1) } },
  { op: 'ScatterElements', inputs: [f(4, 3), typed(T.INT64, 1, 3), f(1, 3)], attributes: { axis: int(0) } },
  ...['ReduceMin', 'ReduceMax', 'ReduceMean'].flatMap((op): Case[] => [
    { op, inputs: [f(2, 3, 4), ints(-1)] },
    { op, inputs: [f(2, 3, 4), ints(0, 2)], attributes: { keepdims: int(0) } },
    { op, inputs: [f(2, 3)] },
    { op, inputs: [f(2, 3)], attributes: { noop_with_empty_axes: int(1) } },
  ]),
  { op: 'QuantizeLinear', inputs: [f(2, 3), ones()] },
  { op: 'QuantizeLinear', inputs: [f(2, 3), ones(), bytes(T.UINT16)] },
  { op: 'QuantizeLinear', inputs: [f(2, 3), ones()], attributes: { output_dtype: int(T.INT8) } },
  { op: 'DequantizeLinear', inputs: [typed(T.UINT8, 2, 3), ones(3), bytes(T.UINT8, 3)] },
  { op: 'DequantizeLinear', inputs: [bytes(T.UINT4, 3, 64), ones(3, 2), bytes(T.UINT4, 3, 2)], attributes: { axis: int(1), block_size: int(32) } },
  { op: 'DequantizeLinear', inputs: [typed(T.UINT16, 2, 3), ones(), bytes(T.UINT16)] },
  { op: 'Conv', inputs: [f(1, 4, 9, 8), ones(6, 2, 3, 3)], attributes: { group: int(2), strides: list(2, 1), pads: list(1, 0, 1, 2), dilations: list(1, 2) } },
  { op: 'Conv', inputs: [f(1, 4, 9), ones(6, 4, 2)], attributes: { auto_pad: { type: 'string', value: 'SAME_UPPER' }, strides: list(2) } },
  { op: 'Shape', inputs: [f(2, 3, 4)], attributes: { start: int(1) } },
  { op: 'ConstantOfShape', inputs: [ints(2, 3)], attributes: { value: { type: 'tensor', value: int64Tensor([7]) } } },
  { op: 'com.microsoft:MatMulNBits', inputs: [f(2, 64), bytes(T.UINT8, 5, 2, 16), ones(10)], attributes: { K: int(64), N: int(5), bits: int(4), block_size: int(32) } },
  { op: 'com.microsoft:GatherBlockQuantized', inputs: [bytes(T.UINT4, 7, 32), typed(T.INT64, 1, 3), ones(7, 1)], attributes: { block_size: int(32), gather_axis: int(0), quantize_axis: int(1) } },
];

/** Operators of our own, which the ONNX Runtime of this test does not know: packages/toolchain-host/test holds them against it. */
const OWN: readonly Case[] = [
  { op: 'tundish:CodeLinear', inputs: [typed(T.UINT16, 1, 3, 64), bytes(T.UINT8, 5, 32), ones(5, 1), bytes(T.UINT8, 5, 2)] },
  { op: 'tundish:CodeLinear', inputs: [typed(T.UINT16, 1, 3, 64), bytes(T.INT8, 5, 64), ones(5)] },
  { op: 'tundish:CodeMatMul', inputs: [typed(T.UINT16, 2, 4, 3, 8), typed(T.UINT8, 2, 1, 8, 5)] },
  { op: 'tundish:HtpAdd', inputs: [typed(T.UINT16, 2, 4, 8), typed(T.UINT16, 1, 8)] },
  { op: 'tundish:HtpConvert', inputs: [typed(T.UINT16, 2, 8)] },
  { op: 'tundish:HtpLinear', inputs: [typed(T.UINT16, 1, 3, 64), bytes(T.INT8, 5, 64), ones(5)] },
  { op: 'tundish:HtpMatMul', inputs: [typed(T.UINT16, 2, 4, 3, 8), typed(T.UINT8, 2, 1, 8, 5)] },
  { op: 'tundish:HtpMul', inputs: [typed(T.UINT16, 3, 4), typed(T.UINT16, 4)] },
  { op: 'tundish:HtpNarrow', inputs: [typed(T.UINT16, 2, 8)] },
  { op: 'tundish:HtpRmsNorm', inputs: [typed(T.UINT16, 3, 4), ones(4)] },
  { op: 'tundish:HtpRotary', inputs: [typed(T.UINT16, 2, 3, 8), typed(T.UINT16, 1, 3, 4), typed(T.UINT16, 1, 3, 4)] },
  { op: 'tundish:HtpSigmoid', inputs: [typed(T.UINT16, 3, 4)] },
  { op: 'tundish:HtpSoftmax', inputs: [typed(T.UINT16, 3, 4)] },
  { op: 'tundish:HtpSub', inputs: [typed(T.UINT16, 3, 4), typed(T.UINT16, 3, 4)] },
  { op: 'tundish:Hadamard', inputs: [f(6, 24)], attributes: { axis: int(1), size: int(12) } },
];

function build({ op, inputs, attributes, outputs }: Case): Model {
  const graph = new Graph(op);
  const operands = inputs.map((operand, i) => {
    if (operand === undefined) return undefined;
    return 'input' in operand ? graph.addInput(`x${i}`, operand.dtype ?? T.FLOAT, operand.input) : graph.addInitializer(`x${i}`, operand);
  });
  const [opType = '', domain = ''] = op.split(':').reverse();
  const node = graph.addNode({ opType, domain, inputs: operands, outputs: outputs ?? 1, ...(attributes === undefined ? {} : { attributes }) });
  graph.outputs.push(...node.outputs);
  return modelOf(graph, [['', 23], ['com.microsoft', 1], ['tundish', 1]]);
}

describe('against ONNX Runtime', () => {
  test('every known operator has a case', () => {
    expect([...new Set([...CASES, ...OWN].map(({ op }) => op))].sort()).toEqual(knownOps());
  });

  test.each(CASES.map((one, i) => [`${i} ${one.op}`, one] as const))('%s', async (_, one) => {
    const model = build(one);
    inferShapes(model);
    const results = await runOrt(model);
    for (const output of model.graph.outputs) {
      expect(results[output.name]?.dims).toEqual(output.shape);
      expect(results[output.name]?.type).toBe(ortType(output));
    }
    expect(decodeModel(encodeModel(model)).graph.outputs.map((o) => o.shape)).toEqual(model.graph.outputs.map((o) => o.shape));
  });
});

test('operators of our own give codes of 16 bits, and rotated values', () => {
  const results = OWN.map((one) => {
    const model = build(one);
    inferShapes(model);
    return model.graph.outputs.map(({ dtype, shape }) => [dtype, ...(shape ?? [])]);
  });
  expect(results.flat()).toEqual([[T.UINT16, 1, 3, 5], [T.UINT16, 1, 3, 5], [T.UINT16, 2, 4, 3, 5], [T.UINT16, 2, 4, 8], [T.UINT16, 2, 8], [T.UINT16, 1, 3, 5], [T.UINT16, 2, 4, 3, 5], [T.UINT16, 3, 4], [T.UINT8, 2, 8], [T.UINT16, 3, 4], [T.UINT16, 2, 3, 8], [T.UINT16, 3, 4], [T.UINT16, 3, 4], [T.UINT16, 3, 4], [T.FLOAT, 6, 24]]);
});

describe('conflicts', () => {
  const WRONG: readonly (readonly [string, Case, RegExp])[] = [
    ['groups', { op: 'tundish:Hadamard', inputs: [f(6, 24)], attributes: { axis: int(0), size: int(4) } }, /groups of 4 along axis 0 of \[6,24\]/],
    ['axis', { op: 'tundish:Hadamard', inputs: [f(6, 24)], attributes: { axis: int(2), size: int(4) } }, /along axis 2/],
    ['broadcast', { op: 'Add', inputs: [f(2, 3), f(2)] }, /Add: \[2,3\] and \[2\] do not broadcast/],
    ['types', { op: 'Mul', inputs: [f(2), typed(T.INT32, 2)] }, /inputs are FLOAT and INT32/],
    ['matmul', { op: 'MatMul', inputs: [f(2, 3), f(4, 3)] }, /inner dims 3 and 4/],
    ['batch', { op: 'MatMul', inputs: [f(2, 2, 3), f(3, 3, 3)] }, /do not broadcast/],
    ['codes', { op: 'tundish:CodeLinear', inputs: [typed(T.UINT16, 3, 64), bytes(T.UINT8, 5, 64), ones(5), bytes(T.UINT8, 5, 2)] }, /the weight is \[5,64\] with 2 codes a byte/],
    ['cache', { op: 'tundish:CodeMatMul', inputs: [typed(T.UINT16, 2, 3, 8), typed(T.INT8, 2, 8, 5)] }, /the second operand is neither uint8 nor uint16/],
    ['floats for codes', { op: 'tundish:HtpAdd', inputs: [typed(T.UINT16, 3), f(3)] }, /an operand is not uint16/],
    ['tables', { op: 'tundish:HtpRotary', inputs: [typed(T.UINT16, 2, 3, 8), typed(T.UINT16, 1, 3, 4), typed(T.UINT16, 1, 3, 8)] }, /tables of \[1,3,4\] and \[1,3,8\] do not turn halves of \[2,3,8\]/],
    ['perm', { op: 'Transpose', inputs: [f(2, 3)], attributes: { perm: list(0, 0) } }, /perm \[0,0\] does not permute/],
    ['reshape', { op: 'Reshape', inputs: [f(2, 3), ints(4, -1)] }, /\[2,3\] cannot be seen as \[4,-1\]/],
    ['two free dims', { op: 'Reshape', inputs: [f(2, 3), ints(-1, -1)] }, /shape \[-1,-1\] is malformed/],
    ['concat', { op: 'Concat', inputs: [f(2, 3), f(3, 3)], attributes: { axis: int(1) } }, /cannot be joined along axis 1/],
    ['split', { op: 'Split', inputs: [f(6), ints(2, 3)], outputs: 2 }, /sum to 5, axis 0 is 6/],
    ['squeeze', { op: 'Squeeze', inputs: [f(2), ints(0)] }, /axis 0 of \[2\] is not 1/],
    ['axis', { op: 'Softmax', inputs: [f(2, 3)], attributes: { axis: int(2) } }, /axis 2 is outside of rank 2/],
    ['scale', { op: 'DequantizeLinear', inputs: [typed(T.UINT8, 2, 3), ones(2)] }, /scale is \[2\], \[3\] expected/],
    ['blocks', { op: 'DequantizeLinear', inputs: [bytes(T.UINT4, 2, 64), ones(2, 4)], attributes: { axis: int(1), block_size: int(32) } }, /scale is \[2,4\], \[2,2\] expected/],
    ['norm scale', { op: 'RMSNormalization', inputs: [f(2, 4), ones(3, 4)] }, /do not broadcast|wider/],
    ['packed', { op: 'com.microsoft:MatMulNBits', inputs: [f(2, 64), bytes(T.UINT8, 5, 4, 8), ones(20)], attributes: { K: int(64), N: int(5), block_size: int(32) } }, /packed weight is \[5,4,8\], \[5,2,16\] expected/],
    ['indices', { op: 'Gather', inputs: [f(3), f(2)] }, /indices are FLOAT/],
    ['channels', { op: 'Conv', inputs: [f(1, 3, 8), ones(2, 4, 3)] }, /3 channels, the weight takes 4/],
  ];

  test.each(WRONG)('%s', (_, one, message) => {
    expect(() => inferShapes(build(one))).toThrow(TundishError);
    expect(() => inferShapes(build(one))).toThrow(message);
  });

  test('an operator newer than the imported opset', () => {
    const model = { ...build({ op: 'RMSNormalization', inputs: [f(2, 4), ones(4)] }), opsetImports: new Map([['', 22]]) };
    expect(() => inferShapes(model)).toThrow(/known from opset 23, the model imports 22/);
  });
});

test('symbols pass through, and numbers win over them', () => {
  const graph = new Graph('symbols');
  const x = graph.addInput('x', T.FLOAT, ['batch', 4]);
  const y = graph.addInput('y', T.FLOAT, [3, 4]);
  const sum = graph.addNode({ opType: 'Add', inputs: [x, y] }).output();
  const product = graph.addNode({ opType: 'MatMul', inputs: [x, graph.addInitializer('w', ones(4, 2))] }).output();
  inferShapes(modelOf(graph));
  expect(sum.shape).toEqual([3, 4]);
  expect(product.shape).toEqual(['batch', 2]);
});

test('a shape that depends on data is left open, and what was declared stays', () => {
  const graph = new Graph('data');
  const shape = graph.addInput('shape', T.INT64, [2]);
  const open = graph.addNode({ opType: 'Reshape', inputs: [graph.addInput('x', T.FLOAT, [6]), shape] }).output();
  const after = graph.addNode({ opType: 'Relu', inputs: [open] }).output();
  inferShapes(modelOf(graph));
  expect([open.dtype, open.shape, after.shape]).toEqual([T.FLOAT, undefined, undefined]);
  open.shape = [2, 3];
  inferShapes(modelOf(graph));
  expect([open.shape, after.shape]).toEqual([[2, 3], [2, 3]]);
});
