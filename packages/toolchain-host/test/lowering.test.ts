/** What lowering makes of weights, encodings and moves, judged by the graph and by numbers. */
import { describe, expect, it } from 'vitest';
import { DataType, type Encodings, type Graph, type Model, type Value, bytesOf, floatTensor, inlineTensor } from '@tundish/graph';
import { hostReference } from '../src/index.js';
import { lowerModel } from '../src/lowering/lower-graph.js';
import { encodingsOf, modelOf, seeded, uint16 } from './small-graph.js';

const int = (value: number) => ({ type: 'int', value }) as const;
const perm = { type: 'ints', value: [1, 0] } as const;
const ops = (model: Model): string[] => model.graph.sortedNodes().map((node) => node.opType);

/** `y = x · W^T` over W that `weight` adds. */
function linear(rows: number, columns: number, weight: (graph: Graph) => Value): Model {
  return modelOf((graph) => {
    const x = graph.addInput('x', DataType.FLOAT, [1, 3, columns]);
    const transposed = graph.addNode({ opType: 'Transpose', inputs: [weight(graph)], attributes: { perm } }).output();
    graph.outputs.push(graph.addNode({ opType: 'MatMul', name: 'product', inputs: [x, transposed], outputs: ['y'] }).output());
  });
}

async function runFloat(model: Model, inputs: Map<string, Float32Array | Int32Array>): Promise<Float32Array> {
  const opened = await hostReference().open({ model, resolve: (location) => location, threads: 1 });
  const result = await opened.run(inputs);
  await opened.close();
  return result.get('y') as Float32Array;
}

/** Lowers without activations, so that only the weight differs. */
const weightsOnly = (model: Model): Model => lowerModel(model, undefined, 'lowered', false).model;

describe('int8 weights per channel', () => {
  const [rows, columns] = [32, 48];
  const random = seeded(3);
  const codes = Int8Array.from({ length: rows * columns }, (_, i) => (i < 256 ? i - 128 : Math.floor(random() * 256) - 128));
  const scale = Float32Array.from({ length: rows }, () => random() / 100);
  const model = linear(rows, columns, (graph) => {
    const inputs = [graph.addInitializer('W', inlineTensor(DataType.INT8, [rows, columns], bytesOf(codes))), graph.addInitializer('s', floatTensor(scale))];
    return graph.addNode({ opType: 'DequantizeLinear', inputs, attributes: { axis: int(0) } }).output();
  });

  it('become two products over nibble planes of the same bytes', () => {
    const lowered = weightsOnly(model);
    const products = lowered.graph.nodes.filter((node) => node.opType === 'MatMulNBits');
    expect(products.map((node) => [node.int('bits'), node.int('accuracy_level'), node.int('K'), node.int('N')])).toEqual([[4, 1, columns, rows], [4, 1, columns, rows]]);
    const large = lowered.graph.initializers.filter((value) => (value.tensor?.dims.length ?? 0) > 1);
    expect(large.map((value) => value.tensor)).toMatchObject([{ dims: [rows, columns / 2, 2], data: bytesOf(codes) }]);
  });

  it('multiply exactly, up to float32 accumulation', async () => {
    const x = Float32Array.from({ length: 3 * columns }, () => random() - 0.5);
    const got = await runFloat(weightsOnly(model), new Map([['x', x]]));
    const want = Float64Array.from(got, (_, i) => {
      const [row, column] = [Math.floor(i / rows), i % rows];
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += (x[row * columns + k] as number) * (codes[column * columns + k] as number);
      return sum * (scale[column] as number);
    });
    const largest = want.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    expect(want.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (got[i] as number))), 0)).toBeLessThan(2e-6 * largest);
  });
});

describe.each([['4 bits, float scales of blocks', 4, 16], ['8 bits, float scales of blocks', 8, 32], ['4 bits, scales of channels', 4, 96]] as const)('%s', (_, bits, block) => {
  const [rows, columns] = [33, 96];
  const random = seeded(bits * block);
  const codes = Int8Array.from({ length: rows * columns }, () => Math.floor((random() - 0.5) * 2 ** bits));
  const scale = Float32Array.from({ length: (rows * columns) / block }, () => (0.1 + random()) / 2 ** bits);
  const bytes = bits === 8 ? bytesOf(codes) : Uint8Array.from({ length: codes.length / 2 }, (_code, i) => ((codes[2 * i] as number) + 8) | (((codes[2 * i + 1] as number) + 8) << 4));
  const channels = block === columns;
  const dims = channels ? [rows] : [rows, columns / block];
  const model = linear(rows, columns, (graph) => {
    const zeroPoint = bits === 8 ? [] : [graph.addInitializer('Z', inlineTensor(DataType.UINT4, dims, new Uint8Array(Math.ceil(scale.length / 2)).fill(0x88)))];
    const inputs = [graph.addInitializer('W', inlineTensor(bits === 8 ? DataType.INT8 : DataType.UINT4, [rows, columns], bytes)), graph.addInitializer('S', floatTensor(scale, dims)), ...zeroPoint];
    return graph.addNode({ opType: 'DequantizeLinear', name: 'dequantize', inputs, attributes: channels ? { axis: int(0) } : { axis: int(1), block_size: int(block) } }).output();
  });

  it('is multiplied over its own bytes, as its values are', async () => {
    const lowered = weightsOnly(model);
    expect(ops(lowered).filter((op) => op === 'MatMulNBits')).toHaveLength(bits / 4);
    expect(ops(lowered)).not.toContain('DequantizeLinear');
    expect(lowered.graph.initializers.find(({ name }) => name === 'W.bytes')?.tensor).toMatchObject({ data: bytes });
    const x = Float32Array.from({ length: 3 * columns }, () => random() - 0.5);
    const got = await runFloat(lowered, new Map([['x', x]]));
    got.forEach((y, i) => {
      const [row, n] = [Math.floor(i / rows), i % rows];
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += (x[row * columns + k] as number) * (codes[n * columns + k] as number) * (scale[Math.floor((n * columns + k) / block)] as number);
      expect(Math.abs(y - sum)).toBeLessThan(2e-5);
    });
  });
});

describe('4-bit blockwise weights', () => {
  const [rows, columns, blockSize] = [32, 64, 16];
  const random = seeded(4);
  const packed = Uint8Array.from({ length: (rows * columns) / 2 }, () => Math.floor(random() * 256));
  const scale = Float32Array.from({ length: (rows * columns) / blockSize }, () => 0.1 + random());
  const value = (row: number, k: number): number => {
    const byte = packed[(row * columns + k) >> 1] as number;
    return (((byte >> (4 * (k & 1))) & 15) - 8) * (scale[row * (columns / blockSize) + Math.floor(k / blockSize)] as number);
  };
  const weight = (zeroPoint: number) => (graph: Graph): Value => {
    const blocks = [rows, columns / blockSize];
    const inputs = [
      graph.addInitializer('W', inlineTensor(DataType.UINT4, [rows, columns], packed)),
      graph.addInitializer('S', floatTensor(scale, blocks)),
      graph.addInitializer('Z', inlineTensor(DataType.UINT4, blocks, new Uint8Array((rows * columns) / blockSize / 2).fill(zeroPoint))),
    ];
    return graph.addNode({ opType: 'DequantizeLinear', name: 'dequantize', inputs, attributes: { axis: int(1), block_size: int(blockSize) } }).output();
  };

  it('become MatMulNBits at accuracy level 1 over the same bytes', async () => {
    const model = linear(rows, columns, weight(0x88));
    const lowered = weightsOnly(model);
    expect(ops(lowered)).toEqual(['MatMulNBits']);
    expect(lowered.graph.nodes[0]?.int('accuracy_level')).toBe(1);
    expect(lowered.graph.initializers.find(({ name }) => name === 'W.bytes')?.tensor).toMatchObject({ dims: [rows, 4, 8], data: packed });
    const x = Float32Array.from({ length: 3 * columns }, () => random() - 0.5);
    const [got, want] = [await runFloat(lowered, new Map([['x', x]])), await runFloat(model, new Map([['x', x]]))];
    got.forEach((y, i) => expect(Math.abs(y - (want[i] as number))).toBeLessThan(2e-5));
  });

  it('become GatherBlockQuantized when their rows are gathered', async () => {
    const model = modelOf((graph) => {
      const ids = graph.addInput('ids', DataType.INT32, [1, 3]);
      graph.outputs.push(graph.addNode({ opType: 'Gather', inputs: [weight(0x88)(graph), ids], outputs: ['y'], attributes: { axis: int(0) } }).output());
    });
    const lowered = weightsOnly(model);
    expect(ops(lowered)).toEqual(['GatherBlockQuantized']);
    const ids = Int32Array.of(5, 0, 31);
    const want = Float32Array.from({ length: 3 * columns }, (_, i) => value(ids[Math.floor(i / columns)] as number, i % columns));
    expect(await runFloat(lowered, new Map([['ids', ids]]))).toEqual(want);
  });

  it('are refused with another zero point, and where no product or gather reads them', () => {
    expect(() => weightsOnly(linear(rows, columns, weight(0x77)))).toThrow(/HOST_WEIGHT_FORM.*dequantize/);
    const added = modelOf((graph) => {
      const x = graph.addInput('x', DataType.FLOAT, [rows, columns]);
      graph.outputs.push(graph.addNode({ opType: 'Add', inputs: [x, weight(0x88)(graph)], outputs: ['y'] }).output());
    });
    expect(() => weightsOnly(added)).toThrow(/HOST_WEIGHT_FORM.*dequantize/);
  });
});

it('gathers rows of codes before it dequantizes them', () => {
  const model = modelOf((graph) => {
    const ids = graph.addInput('ids', DataType.INT32, [1, 2]);
    const inputs = [graph.addInitializer('E', inlineTensor(DataType.UINT8, [4, 2], Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]))), graph.addInitializer('s', floatTensor([0.5], [])), graph.addInitializer('z', inlineTensor(DataType.UINT8, [], Uint8Array.of(4)))];
    const table = graph.addNode({ opType: 'DequantizeLinear', inputs }).output();
    graph.outputs.push(graph.addNode({ opType: 'Gather', inputs: [table, ids], outputs: ['y'], attributes: { axis: int(0) } }).output());
  });
  expect(ops(weightsOnly(model))).toEqual(['Gather', 'DequantizeLinear']);
});

describe('encodings', () => {
  const chain = (second: number): [Model, Encodings] => {
    const model = modelOf((graph) => {
      const x = graph.addInput('x', DataType.FLOAT, [1, 64]);
      const moved = graph.addNode({ opType: 'Transpose', inputs: [x], outputs: ['moved'], attributes: { perm } }).output();
      graph.outputs.push(graph.addNode({ opType: 'Sigmoid', inputs: [moved], outputs: ['y'] }).output());
    });
    return [model, encodingsOf({ x: uint16(1 / 4096), moved: uint16(second), y: uint16(1 / 65535, 0) })];
  };

  it('of a move equal to those of its input cost nothing', () => {
    expect(ops(lowerModel(...chain(1 / 4096), 'g', true).model)).toEqual(['Transpose', 'DequantizeLinear', 'Sigmoid', 'QuantizeLinear']);
  });

  it('of a move that differ requantize, and nothing merges the two grids', async () => {
    const [model, encodings] = chain(1 / 100);
    const { model: lowered } = lowerModel(model, encodings, 'g', true);
    expect(ops(lowered)).toEqual(['DequantizeLinear', 'Transpose', 'QuantizeLinear', 'DequantizeLinear', 'Sigmoid', 'QuantizeLinear']);
    const opened = await hostReference().open({ model: lowered, resolve: (location) => location, threads: 1 });
    const codes = Uint16Array.from({ length: 64 }, (_, i) => 32768 + 37 * i);
    const got = (await opened.run(new Map([['x', codes]]))).get('y');
    await opened.close();
    const coarse = Array.from(codes, (code) => Math.floor(((code - 32768) / 4096) * 100 + 0.5) / 100);
    const want = coarse.map((x) => 65535 / (1 + Math.exp(-x)));
    expect(want.every((y, i) => Math.abs(y - (got?.[i] as number)) <= 1)).toBe(true);
  });
});
