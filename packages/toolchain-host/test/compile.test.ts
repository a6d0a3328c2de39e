/** Compiled parts: constants folded and packed once, numerics those of the lowered graph, one data file for all graphs. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataType, type Graph, type Model, type Value, bytesOf, decodeModel, floatTensor, inlineTensor } from '@tundish/graph';
import { hostReference, hostToolchain } from '../src/index.js';
import { readExternalEntries } from '../src/external-entries.js';
import { lowerModel } from '../src/lowering/lower-graph.js';
import { compileModels, encodingsOf, modelOf, placed, seeded, temporaryFolder, uint16 } from './small-graph.js';

const [ROWS, COLUMNS, BLOCK] = [64, 128, 32];
const int = (value: number) => ({ type: 'int', value }) as const;
const perm = { type: 'ints', value: [1, 0] } as const;
const folder = temporaryFolder();
const resolve = (location: string): string => join(folder, location);

/** LPBQ codes and scales, then int8 codes with a scale a row. */
const RANGES = writeWeights();

function writeWeights(): Record<'codes' | 'blockScale' | 'channelScale' | 'int8' | 'rowScale', number> {
  const random = seeded(8);
  const parts = {
    codes: Uint8Array.from({ length: (ROWS * COLUMNS) / 2 }, () => Math.floor(random() * 256)),
    blockScale: Uint8Array.from({ length: (ROWS * COLUMNS) / BLOCK }, () => 1 + Math.floor(random() * 16)),
    channelScale: bytesOf(Float32Array.from({ length: ROWS }, () => 1e-4 + random() * 1e-3)),
    int8: Uint8Array.from({ length: ROWS * ROWS }, () => Math.floor(random() * 256)),
    rowScale: bytesOf(Float32Array.from({ length: ROWS }, () => 1e-4 + random() * 1e-3)),
  };
  let offset = 0;
  const offsets = Object.entries(parts).map(([name, data]): [string, number] => [name, (offset += data.byteLength) - data.byteLength]);
  writeFileSync(join(folder, 'w.bin'), Buffer.concat(Object.values(parts)));
  return Object.fromEntries(offsets) as ReturnType<typeof writeWeights>;
}

function stored(graph: Graph, name: keyof typeof RANGES, dtype: DataType, dims: readonly number[], length: number): Value {
  return graph.addInitializer(name, { kind: 'external', dtype, dims, location: 'w.bin', offset: RANGES[name], length });
}

/** Two linear layers with a requantization between them; `extra` is a constant that is added. */
function quantizedModel(rows: number, extra?: Float32Array): Model {
  return modelOf((graph) => {
    const x = graph.addInput('x', DataType.FLOAT, [1, rows, COLUMNS]);
    const blocks = [ROWS, COLUMNS / BLOCK];
    const widened = graph.addNode({ opType: 'Cast', inputs: [stored(graph, 'blockScale', DataType.UINT8, blocks, (ROWS * COLUMNS) / BLOCK)], attributes: { to: int(DataType.FLOAT) } }).output();
    const scale = graph.addNode({ opType: 'Mul', inputs: [widened, stored(graph, 'channelScale', DataType.FLOAT, [ROWS, 1], 4 * ROWS)] }).output();
    const zero = graph.addInitializer('zero', inlineTensor(DataType.UINT4, blocks, new Uint8Array((ROWS * COLUMNS) / BLOCK / 2).fill(0x88)));
    const first = graph.addNode({ opType: 'DequantizeLinear', inputs: [stored(graph, 'codes', DataType.UINT4, [ROWS, COLUMNS], (ROWS * COLUMNS) / 2), scale, zero], attributes: { axis: int(1), block_size: int(BLOCK) } }).output();
    const second = graph.addNode({ opType: 'DequantizeLinear', inputs: [stored(graph, 'int8', DataType.INT8, [ROWS, ROWS], ROWS * ROWS), stored(graph, 'rowScale', DataType.FLOAT, [ROWS], 4 * ROWS)], attributes: { axis: int(0) } }).output();
    let h = product(graph, x, first, 'h');
    if (extra !== undefined) h = graph.addNode({ opType: 'Add', inputs: [h, graph.addInitializer('extra', floatTensor(extra, [extra.length / ROWS, ROWS]))], outputs: ['sum'] }).output();
    const moved = graph.addNode({ opType: 'Identity', inputs: [h], outputs: ['moved'] }).output();
    graph.outputs.push(product(graph, moved, second, 'y'));
  });
}

function product(graph: Graph, x: Value, weight: Value, output: string): Value {
  const transposed = graph.addNode({ opType: 'Transpose', inputs: [weight], attributes: { perm } }).output();
  return graph.addNode({ opType: 'MatMul', inputs: [x, transposed], outputs: [output] }).output();
}

const ENCODINGS = encodingsOf({ x: uint16(1 / 8192), h: uint16(1 / 4096), sum: uint16(1 / 4096), moved: uint16(1 / 300), y: uint16(1 / 2048) });
const input = (rows: number): Map<string, Uint16Array> => {
  const random = seeded(rows);
  return new Map([['x', Uint16Array.from({ length: rows * COLUMNS }, () => Math.floor(random() * 65536))]]);
};

describe('a compiled quantized graph', async () => {
  const model = quantizedModel(3);
  const result = await compileModels([model], ENCODINGS, resolve);
  const files = placed(result.files);
  const compiled = decodeModel(readFileSync(files.get('ar1_cl1_1_of_1.onnx') as string));
  const nodes = compiled.graph.sortedNodes();

  it('holds no constant expression any more and every Q and DQ of the lowered one', () => {
    const found = nodes.map((node) => node.opType);
    expect(found).toEqual([
      'DequantizeLinear', 'MatMulNBits', 'QuantizeLinear', 'DequantizeLinear', 'QuantizeLinear', 'DequantizeLinear', 'MatMulNBits', 'MatMulNBits', 'Add', 'QuantizeLinear',
    ]);
    expect(nodes.filter((node) => node.opType === 'MatMulNBits').map((node) => node.int('accuracy_level'))).toEqual([1, 1, 1]);
  });

  it('holds the packed form of the codes and of both nibble planes', () => {
    const entries = readExternalEntries(readFileSync(files.get('ar1_cl1_1_of_1.onnx') as string));
    expect(entries.filter((tensor) => tensor.get('prepacked_0')?.startsWith('MatMulNBits'))).toHaveLength(3);
    expect(new Set(entries.map((tensor) => tensor.get('location')))).toEqual(new Set(['part1_of_1.data']));
  });

  it('computes what the lowered graph computes, bit by bit', async () => {
    const { model: lowered } = lowerModel(model, ENCODINGS, 'lowered', false);
    const reference = await hostReference().open({ model: lowered, resolve, threads: 1 });
    const executable = await hostToolchain().open({ graphs: result.graphs, files, threads: 1 });
    const [want, got] = [await reference.run(input(3)), await executable.run('ar1_cl1_1_of_1', input(3))];
    await Promise.all([reference.close(), executable.close()]);
    expect(got).toEqual(want);
    expect(new Set(got.get('y')).size).toBeGreaterThan(50);
  });

  it('is refused when its data file was cut', async () => {
    const cut = placed((await compileModels([model], ENCODINGS, resolve)).files);
    truncateSync(cut.get('part1_of_1.data') as string, 4096);
    await expect(hostToolchain().open({ graphs: result.graphs, files: cut, threads: 1 })).rejects.toThrow(/HOST_FILE_DAMAGED.*part1_of_1.data has 4096 bytes/);
  });
});

it('a part that is not prepacked is smaller and computes the same', async () => {
  const model = quantizedModel(3);
  const results = [];
  const sizes = [];
  for (const prepack of [true, false]) {
    const { graphs, files } = await compileModels([model], ENCODINGS, resolve, { prepack });
    const onDisk = placed(files);
    sizes.push(readFileSync(onDisk.get('part1_of_1.data') as string).byteLength);
    const executable = await hostToolchain().open({ graphs, files: onDisk, threads: 1 });
    results.push(await executable.run('ar1_cl1_1_of_1', input(3)));
    await executable.close();
  }
  expect(results[1]).toEqual(results[0]);
  expect(sizes[0]).toBeGreaterThanOrEqual((sizes[1] as number) + (ROWS * COLUMNS) / 2 + ROWS * ROWS);
});

it('graphs whose constants differ share what is equal and keep the rest apart', async () => {
  const random = seeded(2);
  const extras = [4, 8].map((rows) => Float32Array.from({ length: rows * ROWS }, () => random() - 0.5));
  const models = extras.map((extra, i) => quantizedModel(i === 0 ? 4 : 8, extra));
  const together = placed((await compileModels(models, ENCODINGS, resolve)).files);
  const result = await compileModels(models, ENCODINGS, resolve);
  const first = await compileModels(models.slice(0, 1), ENCODINGS, resolve);
  const size = (files: Map<string, string>): number => readFileSync(files.get('part1_of_1.data') as string).byteLength;
  // One page of alignment, and the second constant.
  expect(size(together) - size(placed(first.files))).toBeLessThanOrEqual(4096 + (extras[1] as Float32Array).byteLength);
  const executable = await hostToolchain().open({ graphs: result.graphs, files: together, threads: 2 });
  for (const [i, rows] of [4, 8].entries()) {
    const { model: lowered } = lowerModel(models[i] as Model, ENCODINGS, 'lowered', false);
    const reference = await hostReference().open({ model: lowered, resolve, threads: 1 });
    expect(await executable.run(`ar1_cl${i + 1}_1_of_1`, input(rows))).toEqual(await reference.run(input(rows)));
    await reference.close();
  }
  await executable.close();
});
