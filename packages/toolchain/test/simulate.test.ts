/** The simulation that toolchains are judged by, against numbers worked out by hand. */
import { describe, expect, it } from 'vitest';
import { DataType, Graph, type NodeSpec, type PerTensorEncoding, type Tensor, bytesOf, floatTensor, inlineTensor, int64Tensor } from '@tundish/graph';
import { decode, encode, simulate } from '../src/conformance/simulate.js';
import { graphName } from '../src/index.js';

const GRID: PerTensorEncoding = { kind: 'per-tensor', dtype: 'uint8', scale: 0.5, zeroPoint: 10, symmetric: false };
const int = (value: number) => ({ type: 'int', value }) as const;

/** Values of output `y` of one node over constants. */
function evaluate(opType: string, constants: readonly Tensor[], attributes: NodeSpec['attributes'] = {}, outputs: readonly string[] = ['y']): number[] {
  const graph = new Graph('g');
  const inputs = constants.map((tensor, i) => graph.addInitializer(`c${i}`, tensor));
  graph.addNode({ opType, inputs, outputs, attributes });
  return [...(simulate({ graph, inputs: new Map(), weights: new Uint8Array() }).get('y')?.data ?? [])];
}

it('names graphs as runtimes parse them', () => {
  expect(graphName({ ar: 128, cl: 4096, part: 1, parts: 3 })).toBe('ar128_cl4096_1_of_3');
});

describe('codes', () => {
  it('round ties to the even code and saturate', () => {
    expect([0.25, 0.75, 1.25, -0.25, 1000, -1000].map((x) => encode(x, GRID))).toEqual([10, 12, 12, 10, 255, 0]);
    expect([0, 10, 255].map((code) => decode(code, GRID))).toEqual([-5, 0, 122.5]);
  });
});

describe('operators', () => {
  it('multiply stacks of matrices, stretching axes of length 1', () => {
    const a = floatTensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
    expect(evaluate('MatMul', [a, floatTensor([1, 10, 100, 1000], [1, 2, 2])])).toEqual([201, 2010, 403, 4030, 605, 6050, 807, 8070]);
  });

  it('join, cut and turn', () => {
    const a = floatTensor([1, 2, 3, 4], [2, 2]);
    expect(evaluate('Concat', [a, floatTensor([5, 6], [2, 1])], { axis: int(1) })).toEqual([1, 2, 5, 3, 4, 6]);
    expect(evaluate('Split', [a], { axis: int(-1), num_outputs: int(2) }, ['x', 'y'])).toEqual([2, 4]);
    expect(evaluate('Transpose', [a], { perm: { type: 'ints', value: [1, 0] } })).toEqual([1, 3, 2, 4]);
    expect(evaluate('Gather', [a, int64Tensor([1, 0, 1])])).toEqual([3, 4, 1, 2, 3, 4]);
  });

  it('dequantize by blocks along an axis, with zero points', () => {
    const codes = inlineTensor(DataType.UINT4, [1, 4], Uint8Array.of(0x98, 0x7f));
    const grid = [floatTensor([1, 10], [1, 2]), inlineTensor(DataType.UINT4, [1, 2], Uint8Array.of(0x88))];
    expect(evaluate('DequantizeLinear', [codes, ...grid], { axis: int(1), block_size: int(2) })).toEqual([0, 1, 70, -10]);
    const rows = inlineTensor(DataType.INT8, [2, 2], bytesOf(Int8Array.of(-128, 127, 3, -3)));
    expect(evaluate('DequantizeLinear', [rows, floatTensor([2, 0.5])], { axis: int(0) })).toEqual([-256, 254, 1.5, -1.5]);
  });

  it('normalise', () => {
    const [a = 0, b = 0] = evaluate('RMSNormalization', [floatTensor([3, 4], [1, 2]), floatTensor([1, 2])], { axis: int(-1), epsilon: { type: 'float', value: 0 } });
    expect([a, b]).toEqual([3 / Math.sqrt(12.5), 8 / Math.sqrt(12.5)]);
    const shares = evaluate('Softmax', [floatTensor([0, Math.log(3)], [1, 2])], { axis: int(-1) });
    expect(shares[1]).toBeCloseTo(0.75, 7);
  });
});
