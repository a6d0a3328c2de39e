/** Models of operations: exact arithmetic on small numbers by hand, gates, and what no model computes. No library is needed. */
import { DataType, encodeFloat16 } from '@tundish/graph';
import type { QnnData, QnnOperation } from '@tundish/native/qnn';
import { ELEMENT_CODES, OperationErrors, type OperationError, type PlannedTensor, type QnnGraphPlan, TENSOR_KINDS, tapPlan } from '@tundish/toolchain-qairt';
import { describe, expect, it } from 'vitest';

const { UFIXED_POINT_8, UFIXED_POINT_16, SFIXED_POINT_8, UINT_32, INT_32, FLOAT_16, FLOAT_32 } = ELEMENT_CODES;

const grid = (scale: number, offset = 0): NonNullable<PlannedTensor['quantization']> => ({ kind: 'scale_offset', scale, offset });
const activation = (name: string, dims: readonly number[], quantization = grid(1), element: number = UFIXED_POINT_16): PlannedTensor => ({ name, kind: TENSOR_KINDS.inside, element, dims, quantization });
const list = (name: string, data: readonly number[]): QnnOperation['parameters'][number] => ({ name, tensor: { name, type: TENSOR_KINDS.constant, element: INT_32, dims: Uint32Array.of(data.length), data: Int32Array.from(data) } });
const number = (name: string, value: number, element: number = UINT_32): QnnOperation['parameters'][number] => ({ name, element, value });

/** One operation whose inputs are all there. @param codes of inputs and of the output `y`; values of half floats */
function measured(type: string, tensors: readonly PlannedTensor[], codes: Readonly<Record<string, readonly number[]>>, parameters: QnnOperation['parameters'] = []): OperationError {
  const inputs = tensors.filter(({ name }) => name !== 'y').map(({ name }) => name);
  const plan: QnnGraphPlan = { name: 'g', inputs: [], outputs: [], tensors, operations: [{ name: `${type}_y`, type, inputs, outputs: ['y'], parameters }] };
  const errors = new OperationErrors(plan, {});
  const isHalf = (name: string): boolean => tensors.some((tensor) => tensor.name === name && tensor.element === FLOAT_16);
  errors.add(new Map(Object.entries(codes).map(([name, values]): [string, QnnData] => [name, isHalf(name) ? Uint16Array.from(values, encodeFloat16) : Int32Array.from(values)])));
  return errors.rows()[0] as OperationError;
}

const STRIDES = [list('stride', [1, 1]), list('pad_amount', [0, 0, 0, 0])];

describe('exact arithmetic of', () => {
  it('a projection in blocks: codes times integers, one scale a channel', () => {
    const weight: PlannedTensor = {
      name: 'w', kind: TENSOR_KINDS.constant, element: SFIXED_POINT_8, dims: [1, 1, 4, 2],
      quantization: { kind: 'blockwise', axis: 3, scales: Float32Array.of(0.5, 0.25), blocks: 2, bits: 4, blockScales: { kind: 'inline', dtype: DataType.UINT8, dims: [2, 2], data: Uint8Array.of(1, 2, 3, 4) } },
      data: { values: Int8Array.of(1, -1, 2, -2, 3, -3, 4, -4) },
    };
    // Channel 0: (1*1 + 2*2) * 1 + (3*3 + 4*4) * 2 = 55, times 0.5; channel 1: -(5 * 3 + 25 * 4) * 0.25 = -28.75; over 0.5, plus 100.
    const row = measured('Conv2d', [activation('x', [1, 1, 1, 4], grid(1, -10)), weight, activation('y', [1, 1, 1, 2], grid(0.5, -100))], { x: [11, 12, 13, 14], y: [155, 43] }, STRIDES);
    expect(row).toMatchObject({ kind: 'Conv2d LPBQ', unit: 1, elements: 2, max: 0.5, mean: 0.25, bias: 0.25, unmodelled: null });
    expect(row.gate).toEqual({ max: 402, relative: 0, bias: 170.1 });
  });

  it('a projection of channels', () => {
    const weight: PlannedTensor = { name: 'w', kind: TENSOR_KINDS.constant, element: SFIXED_POINT_8, dims: [1, 1, 2, 1], quantization: { kind: 'axis', axis: 3, scales: Float32Array.of(0.5) }, data: { values: Int8Array.of(3, -2) } };
    expect(measured('Conv2d', [activation('x', [1, 1, 2, 2]), weight, activation('y', [1, 1, 2, 1])], { x: [4, 2, 6, 0], y: [4, 9] }, STRIDES)).toMatchObject({ kind: 'Conv2d int8', max: 0, unit: 0.5 });
  });

  it('a product of activations', () => {
    const tensors = [activation('a', [1, 1, 2, 2], grid(1, -1)), activation('b', [1, 1, 2, 1], grid(0.5, -2), UFIXED_POINT_8), activation('y', [1, 1, 2, 1], grid(0.25))];
    expect(measured('MatMul', tensors, { a: [2, 3, 4, 5], b: [3, 4], y: [10, 22] }, [number('transpose_in0', 0)])).toMatchObject({ max: 0, unit: 2 });
    expect(measured('MatMul', tensors.map((tensor) => ({ ...tensor, element: UFIXED_POINT_16 })), { a: [2, 3, 4, 5], b: [3, 4], y: [10, 22] }, [number('transpose_in0', 0)])).toMatchObject({ max: 0, unit: 512 });
  });

  it('norms and softmax of rows', () => {
    const gain: PlannedTensor = { ...activation('g', [2], grid(2)), data: { values: Uint16Array.of(1, 2) } };
    const beta: PlannedTensor = { ...activation('z', [2], grid(1e-9)), data: { values: new Int32Array(2) } };
    const parameters = [list('axes', [3]), number('epsilon', 0, FLOAT_32)];
    // 3 and 4 over sqrt(12.5), times 2 and 4, in steps of 0.001.
    const row = measured('RmsNorm', [activation('x', [1, 1, 1, 2]), gain, beta, activation('y', [1, 1, 1, 2], grid(0.001))], { x: [3, 4], y: [1697, 4525] }, parameters);
    expect(row.max).toBeCloseTo(0.4834, 3);
    const softmax = measured('Softmax', [activation('x', [1, 1, 1, 2], grid(Math.LN2)), activation('y', [1, 1, 1, 2], grid(1 / 3))], { x: [5, 6], y: [1, 2] });
    expect(softmax.max).toBeLessThan(1e-12);
  });

  it('single elements, also where one row serves all', () => {
    const tensors = [activation('a', [1, 1, 2, 2], grid(0.5)), activation('b', [1, 1, 1, 2], grid(1, -3)), activation('y', [1, 1, 2, 2], grid(0.25, -8))];
    expect(measured('ElementWiseAdd', tensors, { a: [2, 4, 6, 8], b: [4, 5], y: [16, 24, 24, 32] }).max).toBe(0);
    expect(measured('ElementWiseSubtract', tensors, { a: [2, 4, 6, 8], b: [4, 5], y: [8, 8, 16, 16] }).max).toBe(0);
    expect(measured('ElementWiseMultiply', tensors, { a: [2, 4, 6, 8], b: [4, 5], y: [12, 24, 20, 40] }).max).toBe(0);
    expect(measured('Sigmoid', [activation('x', [1, 1, 1, 1], grid(1, -7)), activation('y', [1, 1, 1, 1], grid(1 / 65_536))], { x: [7], y: [32_768] }).max).toBe(0);
  });

  it('a rotary embedding: halves of two heads by one table', () => {
    const tensors = [activation('x', [1, 2, 1, 4], grid(0.5, -10)), activation('cos', [1, 1, 1, 2], grid(0.25, -4)), activation('sin', [1, 1, 1, 2], grid(0.25, -4)), activation('y', [1, 2, 1, 4], grid(0.125, -100))];
    // Reals: x 1 2 | 3 4 and 0 1 | -1 0, cos 1 0.5, sin 0.5 -1; x1 cos - x2 sin = -0.5 5 and 0.5 0.5, x1 sin + x2 cos = 3.5 0 and -1 -1.
    const codes = { x: [12, 14, 16, 18, 10, 12, 8, 10], cos: [8, 6], sin: [6, 0], y: [96, 140, 128, 100, 104, 104, 92, 92] };
    expect(measured('RotaryEmbedding', tensors, codes, [number('interleaved', 0)])).toMatchObject({ max: 0, bias: 0, unmodelled: null });
    expect(measured('RotaryEmbedding', tensors, { ...codes, y: [98, ...codes.y.slice(1)] }).share).toBe(2);
    expect(measured('RotaryEmbedding', tensors, codes, [number('interleaved', 1)])).toMatchObject({ share: Infinity, unmodelled: expect.stringContaining('neighbours') as string });
    expect(measured('RotaryEmbedding', tensors.map((tensor) => (tensor.name === 'sin' ? { ...tensor, dims: [1, 1, 2, 1] } : tensor)), codes)).toMatchObject({ share: Infinity });
  });

  it('a conversion, clipped to the codes that there are', () => {
    const tensors = [activation('x', [1, 1, 1, 3], grid(0.5, -4)), activation('y', [1, 1, 1, 3], grid(1, -1), UFIXED_POINT_8)];
    expect(measured('Convert', tensors, { x: [0, 5, 60_000], y: [0, 2, 255] })).toMatchObject({ max: 0.5, bias: 0.5 / 3 });
  });

  it.each([
    ['Reshape', [activation('x', [2, 3])], [3, 2], { x: [1, 2, 3, 4, 5, 6] }, [1, 2, 3, 4, 5, 6], []],
    ['StridedSlice', [activation('x', [2, 3])], [2, 2], { x: [1, 2, 3, 4, 5, 6] }, [2, 3, 5, 6], [list('ranges', [0, 2, 1, 1, 3, 1])]],
    ['Transpose', [activation('x', [1, 2, 3])], [3, 1, 2], { x: [1, 2, 3, 4, 5, 6] }, [1, 4, 2, 5, 3, 6], [list('perm', [2, 0, 1])]],
    ['Concat', [activation('a', [2, 1]), activation('b', [2, 2])], [2, 3], { a: [1, 4], b: [2, 3, 5, 6] }, [1, 2, 3, 4, 5, 6], [number('axis', 1)]],
    ['Gather', [activation('t', [3, 2]), { name: 'i', kind: TENSOR_KINDS.input, element: INT_32, dims: [1, 2] }], [1, 2, 2], { t: [1, 2, 3, 4, 5, 6], i: [2, 0] }, [5, 6, 1, 2], [number('axis', 0)]],
  ] as const)('%s, which moves', (type, inputs, dims, codes, y, parameters) => {
    expect(measured(type, [...inputs, activation('y', dims)], { ...codes, y }, parameters)).toMatchObject({ max: 0, share: 0, unmodelled: null });
    const wrong = [...y.slice(0, -1), y.at(-1) as number + 1];
    expect(measured(type, [...inputs, activation('y', dims)], { ...codes, y: wrong }, parameters)).toMatchObject({ max: 1, share: Infinity });
    expect(measured(type, [...inputs, activation('y', dims, grid(1, -1))], { ...codes, y }, parameters)).toMatchObject({ share: Infinity, unmodelled: expect.stringContaining('another grid') as string });
  });
});

describe('a gate', () => {
  const scores = (mask: string): OperationError => measured('ElementWiseAdd', [activation('s', [1, 2]), activation(mask, [1, 2]), activation('y', [1, 2])], { s: [10, 20], [mask]: [0, 0], y: [14, 16] });

  it('is wider for scores plus the mask', () => {
    expect(scores('attention_mask')).toMatchObject({ kind: 'ElementWiseAdd of the mask', share: 0.8 });
    expect(scores('other')).toMatchObject({ kind: 'ElementWiseAdd', share: 2 });
  });

  it('of Softmax grows with the code', () => {
    const tensors = [activation('x', [1, 1, 2, 1]), activation('y', [1, 1, 2, 1], grid(1 / 60_000))];
    const row = (y: readonly number[]): OperationError => measured('Softmax', tensors, { x: [1, 1], y });
    // One element alone has the probability 1: code 60,000, which may be off by 188; the average may be by half a code.
    expect(row([60_100, 59_900])).toMatchObject({ max: 100, bias: 0, share: 100 / 188 });
    expect(row([60_001, 60_001])).toMatchObject({ max: 1, bias: 1, share: 2 });
  });

  it('fails on what no model computes, and on what is not a number', () => {
    expect(measured('Gelu', [activation('x', [1]), activation('y', [1])], { x: [1], y: [1] })).toMatchObject({ share: Infinity, unmodelled: 'no model of Gelu' });
    expect(measured('Convert', [activation('x', [1]), activation('y', [1])], { y: [1] })).toMatchObject({ share: Infinity, unmodelled: 'x was not given' });
    expect(measured('Convert', [activation('x', [1], grid(NaN)), activation('y', [1])], { x: [1], y: [1] }).share).toBe(Infinity);
  });
});

describe('half floats', () => {
  const half = (name: string, dims: readonly number[]): PlannedTensor => ({ name, kind: TENSOR_KINDS.inside, element: FLOAT_16, dims });
  const weight: PlannedTensor = { name: 'w', kind: TENSOR_KINDS.constant, element: SFIXED_POINT_8, dims: [1, 1, 2, 2], quantization: { kind: 'axis', axis: 3, scales: Float32Array.of(0.5, 0.25) }, data: { values: Int8Array.of(3, -2, 4, 8) } };
  // Channel 0: (2 * 3 + 1.5 * 4) * 0.5 = 6, channel 1: (-4 + 12) * 0.25 = 2; the root mean square is sqrt(20).
  const projected = (y: readonly number[]): OperationError => measured('Conv2d', [half('x', [1, 1, 1, 2]), weight, half('y', [1, 1, 1, 2])], { x: [2, 1.5], y }, STRIDES);

  it('are compared as values, in shares of the root mean square', () => {
    expect(projected([6, 2])).toMatchObject({ kind: 'Conv2d int8', max: 0, unit: null, share: 0, unmodelled: null });
    const off = projected([6.125, 2]);
    expect([off.max, off.bias]).toEqual([0.125 / Math.sqrt(20), 0.0625 / Math.sqrt(20)]);
    expect(off.share).toBeGreaterThan(1);
    expect(projected([6.00390625, 1.99609375]).share).toBeLessThanOrEqual(1);
    expect(measured('MatMul', [half('a', [1, 1, 1, 2]), half('b', [1, 1, 2, 1]), half('y', [1, 1, 1, 1])], { a: [2, 3], b: [0.5, -1], y: [-2] })).toMatchObject({ kind: 'MatMul fp16 x fp16', max: 0 });
    expect(measured('Reshape', [half('x', [2]), half('y', [1, 2])], { x: [1, 2], y: [1, 2] })).toMatchObject({ max: 0, share: 0 });
    expect(measured('Reshape', [half('x', [2]), half('y', [1, 2])], { x: [1, 2], y: [1, 2.002] }).share).toBe(Infinity);
  });

  it('are made of codes, and of the codes of a gain', () => {
    expect(measured('Dequantize', [activation('x', [1, 2], grid(0.5, -3)), half('y', [1, 2])], { x: [3, 7], y: [0, 2] })).toMatchObject({ max: 0, unmodelled: null });
    const gain: PlannedTensor = { ...half('g', [2]), data: { reals: { kind: 'inline', dtype: DataType.UINT16, dims: [2], data: Uint8Array.of(1, 0, 5, 0) }, scale: 0.5, offset: -1 } };
    const beta: PlannedTensor = { ...half('z', [2]), data: { values: new Uint16Array(2) } };
    const row = measured('RmsNorm', [half('x', [1, 1, 1, 2]), gain, beta, half('y', [1, 1, 1, 2])], { x: [3, 3], y: [0, 2] }, [list('axes', [3]), number('epsilon', 0, FLOAT_32)]);
    expect(row).toMatchObject({ max: 0, unmodelled: null });
  });
});

describe('tapping a plan', () => {
  it('makes outputs of what is inside, and of nothing else', () => {
    const x: PlannedTensor = { ...activation('x', [1]), kind: TENSOR_KINDS.input };
    const y: PlannedTensor = { ...activation('y', [1]), kind: TENSOR_KINDS.output };
    const w: PlannedTensor = { ...activation('w', [1]), kind: TENSOR_KINDS.constant, data: { values: Uint16Array.of(1) } };
    const plan: QnnGraphPlan = { name: 'g', inputs: [x], outputs: [y], tensors: [x, y, w, activation('h', [1])], operations: [] };
    const tapped = tapPlan(plan);
    expect(tapped.outputs.map(({ name, kind }) => [name, kind])).toEqual([['y', TENSOR_KINDS.output], ['h', TENSOR_KINDS.output]]);
    expect(tapped.tensors.map(({ kind }) => kind)).toEqual([x.kind, y.kind, w.kind, TENSOR_KINDS.output]);
    expect(tapPlan(tapped)).toEqual(tapped);
  });
});
