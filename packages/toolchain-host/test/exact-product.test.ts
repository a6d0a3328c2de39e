/** Products of codes become operators of our own: which ones do, over which bytes, and that their codes are those of the exact sums. */
import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { DataType, type Encodings, Graph, type Model, type PerTensorEncoding, type Value, bytesOf, floatTensor, inlineTensor } from '@tundish/graph';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { hostReference, hostToolchain } from '../src/index.js';
import { lowerModel } from '../src/lowering/lower-graph.js';
import { compileModels, encodingsOf, modelOf, placed, roundHalfEven, seeded, temporaryFolder, uint16 } from './small-graph.js';

ensureAddon();
const int = (value: number) => ({ type: 'int', value }) as const;
const ops = (model: Model): string[] => model.graph.sortedNodes().map(({ opType }) => opType);
const random = seeded(21);
const below = (count: number): number => Math.floor(random() * count);

interface Weight {
  readonly add: (graph: Graph) => Value;
  readonly parameters: Encodings['parameters'];
  /** Integer and scale of output `n`, column `k`. */
  readonly at: (n: number, k: number) => number;
  readonly scale: (n: number) => number;
  readonly bytes: number;
}

function lpbq(rows: number, columns: number, blockSize: number, name = 'W'): Weight {
  const blocks = columns / blockSize;
  const packed = Uint8Array.from({ length: (rows * columns) / 2 }, () => below(256));
  const blockScale = Uint8Array.from({ length: rows * blocks }, () => 1 + below(16));
  const channelScale = Float32Array.from({ length: rows }, () => 1e-3 + random() / 100);
  return {
    add: (graph) => {
      const widened = graph.addNode({ opType: 'Cast', inputs: [graph.addInitializer(`${name}.B`, inlineTensor(DataType.UINT8, [rows, blocks], blockScale))], attributes: { to: int(DataType.FLOAT) } }).output();
      const scale = graph.addNode({ opType: 'Mul', inputs: [widened, graph.addInitializer(`${name}.C`, floatTensor(channelScale, [rows, 1]))] }).output();
      const inputs = [graph.addInitializer(name, inlineTensor(DataType.UINT4, [rows, columns], packed)), scale, graph.addInitializer(`${name}.Z`, inlineTensor(DataType.UINT4, [rows, blocks], new Uint8Array((rows * blocks) / 2).fill(0x88)))];
      return graph.addNode({ opType: 'DequantizeLinear', inputs, attributes: { axis: int(1), block_size: int(blockSize) } }).output();
    },
    parameters: new Map([[name, { kind: 'lpbq', dtype: 'int4', blockSize, channelScale, blockScale }]]),
    at: (n, k) => ((((packed[(n * columns + k) >> 1] as number) >> (4 * (k & 1))) & 15) - 8) * (blockScale[n * blocks + Math.floor(k / blockSize)] as number),
    scale: (n) => channelScale[n] as number,
    bytes: packed.byteLength + blockScale.byteLength + channelScale.byteLength,
  };
}

function perChannel(rows: number, columns: number): Weight {
  const codes = Int8Array.from({ length: rows * columns }, () => below(256) - 128);
  const scale = Float32Array.from({ length: rows }, () => 1e-3 + random() / 100);
  return {
    add: (graph) => {
      const inputs = [graph.addInitializer('W', inlineTensor(DataType.INT8, [rows, columns], bytesOf(codes))), graph.addInitializer('S', floatTensor(scale))];
      return graph.addNode({ opType: 'DequantizeLinear', inputs, attributes: { axis: int(0) } }).output();
    },
    parameters: new Map(),
    at: (n, k) => codes[n * columns + k] as number,
    scale: (n) => scale[n] as number,
    bytes: codes.byteLength + scale.byteLength,
  };
}

function perChannel4(rows: number, columns: number): Weight {
  const packed = Uint8Array.from({ length: (rows * columns) / 2 }, () => below(256));
  const scale = Float32Array.from({ length: rows }, () => 1e-2 + random() / 10);
  return {
    add: (graph) => {
      const inputs = [graph.addInitializer('W', inlineTensor(DataType.UINT4, [rows, columns], packed)), graph.addInitializer('S', floatTensor(scale)), graph.addInitializer('Z', inlineTensor(DataType.UINT4, [rows], new Uint8Array(Math.ceil(rows / 2)).fill(0x88)))];
      return graph.addNode({ opType: 'DequantizeLinear', inputs, attributes: { axis: int(0) } }).output();
    },
    parameters: new Map([['W', { kind: 'per-channel', dtype: 'int4', axis: 0, scale }]]),
    at: (n, k) => (((packed[(n * columns + k) >> 1] as number) >> (4 * (k & 1))) & 15) - 8,
    scale: (n) => scale[n] as number,
    bytes: packed.byteLength + scale.byteLength,
  };
}

function linearModel(batch: number, columns: number, weight: Weight): Model {
  return modelOf((graph) => {
    const x = graph.addInput('x', DataType.FLOAT, [1, batch, columns]);
    const transposed = graph.addNode({ opType: 'Transpose', inputs: [weight.add(graph)], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
    graph.outputs.push(graph.addNode({ opType: 'MatMul', name: 'product', inputs: [x, transposed], outputs: ['y'] }).output());
  });
}

const X = uint16(1 / 8192, 30_001);
const codesOf = (length: number): Uint16Array => Uint16Array.from({ length }, () => (below(4) === 0 ? below(2) * 65_535 : below(65_536)));

/** saturate(roundHalfEven(fround(fround(real) / scale)) + zeroPoint). */
function codeOf(real: number, { scale, zeroPoint }: PerTensorEncoding): number {
  return Math.min(65_535, Math.max(0, roundHalfEven(Math.fround(Math.fround(real) / scale)) + zeroPoint));
}

async function run(model: Model, feeds: Map<string, Uint16Array | Uint8Array>): Promise<Uint16Array> {
  const opened = await hostReference().open({ model, resolve: (location) => location, threads: 2 });
  return (await opened.run(feeds).finally(() => opened.close())).get('y') as Uint16Array;
}

describe.each<[string, (rows: number, columns: number) => Weight]>([
  ['LPBQ, blocks of 16', (rows, columns) => lpbq(rows, columns, 16)],
  ['LPBQ, blocks of 32', (rows, columns) => lpbq(rows, columns, 32)],
  ['LPBQ, blocks of 64', (rows, columns) => lpbq(rows, columns, 64)],
  ['int8 per channel', perChannel],
  ['4 bits per channel', perChannel4],
])('a linear layer, %s', (_, weightOf) => {
  it.each([1, 5, 40])('gives the codes of exact sums for %i rows of activations', async (batch) => {
    const [rows, columns] = [70, 192];
    const weight = weightOf(rows, columns);
    const y = uint16(1 / 64, 33_000);
    const { model } = lowerModel(linearModel(batch, columns, weight), encodingsOf({ x: X, y }, weight.parameters), 'g', true);
    expect(ops(model)).toEqual(['CodeLinear']);
    const x = codesOf(batch * columns);
    const got = await run(model, new Map([['x', x]]));
    const want = Uint16Array.from(got, (_code, i) => {
      const [m, n] = [Math.floor(i / rows), i % rows];
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += weight.at(n, k) * ((x[m * columns + k] as number) - X.zeroPoint);
      return codeOf(sum * (X.scale * weight.scale(n)), y);
    });
    expect(got).toEqual(want);
    expect(new Set(got).size).toBeGreaterThan(40);
  });
});

it.each([64, 96, 48])('4 bits per channel of %i columns, which blocks of 64 may not divide', async (columns) => {
  const weight = perChannel4(9, columns);
  const y = uint16(1 / 64, 33_000);
  const { model } = lowerModel(linearModel(1, columns, weight), encodingsOf({ x: X, y }, weight.parameters), 'g', true);
  expect(ops(model)).toEqual(['CodeLinear']);
  const x = codesOf(columns);
  const got = await run(model, new Map([['x', x]]));
  const sums = Array.from({ length: 9 }, (_, n) => x.reduce((sum, code, k) => sum + weight.at(n, k) * (code - X.zeroPoint), 0));
  expect([...got]).toEqual(sums.map((sum, n) => codeOf(sum * (X.scale * weight.scale(n)), y)));
});

it.each([['uint8', 4, 120, 1 / 50], ['uint8', 1, 128, 1 / 50], ['uint16', 4, 32_768, 1 / 12_800], ['uint16', 1, 32_768, 1 / 12_800], ['uint16', 1, 30_000, 1 / 12_800]] as const)('a cache of %s is multiplied as the codes that it holds, %i rows at once, zero point %i', async (dtype, rows, zeroPoint, scale) => {
  const [heads, group, columns, outputs] = [3, 2, 70, 45];
  const [a, b, y] = [uint16(1 / 4096, 31_000), { ...uint16(scale, zeroPoint), dtype } as PerTensorEncoding, uint16(1 / 200, 29_000)];
  const source = modelOf((graph) => {
    const inputs = [graph.addInput('x', DataType.FLOAT, [heads, group, rows, columns]), graph.addInput('cache', DataType.FLOAT, [heads, 1, columns, outputs])];
    graph.outputs.push(graph.addNode({ opType: 'MatMul', inputs, outputs: ['y'] }).output());
  });
  const { model } = lowerModel(source, encodingsOf({ x: a, cache: b, y }), 'g', true);
  expect(ops(model)).toEqual(['CodeMatMul']);
  const x = codesOf(heads * group * rows * columns);
  const length = heads * columns * outputs;
  const cache = dtype === 'uint16' ? codesOf(length) : Uint8Array.from({ length }, () => below(256));
  const got = await run(model, new Map<string, Uint16Array | Uint8Array>([['x', x], ['cache', cache]]));
  const want = Uint16Array.from(got, (_, i) => {
    const [row, n] = [Math.floor(i / outputs), i % outputs];
    const head = Math.floor(row / (group * rows));
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += ((x[row * columns + k] as number) - a.zeroPoint) * ((cache[(head * columns + k) * outputs + n] as number) - b.zeroPoint);
    return codeOf(sum * (b.scale * a.scale), y);
  });
  expect(got).toEqual(want);
  expect(new Set(got).size).toBeGreaterThan(200);
});

describe('what stays with ONNX Runtime', () => {
  const weight = lpbq(32, 64, 32);
  const source = linearModel(2, 64, weight);
  const lowered = (encodings: Encodings, own: boolean): string[] => ops(lowerModel(source, encodings, 'g', own).model);

  it('a product of floats, and any product where operators of our own are not wanted', () => {
    expect(lowered({ activations: new Map(), parameters: weight.parameters }, true)).toContain('MatMulNBits');
    expect(lowered(encodingsOf({ x: X, y: uint16(1 / 64) }, weight.parameters), false)).toContain('MatMulNBits');
  });

  it('a product on a grid of 8 bits, and blocks whose scale has no integer', () => {
    expect(lowered(encodingsOf({ x: X, y: { ...uint16(1 / 2, 128), dtype: 'uint8' } }, weight.parameters), true)).toContain('MatMulNBits');
    expect(lowered(encodingsOf({ x: X, y: uint16(1 / 64) }), true)).toContain('MatMulNBits');
  });
});

it('products of one input are joined only with those that are no operators of our own either', async () => {
  const [batch, rows, columns] = [3, 32, 64];
  const outputs = ['a', 'b', 'c', 'd'] as const;
  const weights = outputs.map((name) => lpbq(rows, columns, 32, `W${name}`));
  const source = modelOf((graph) => {
    const x = graph.addInput('x', DataType.FLOAT, [1, batch, columns]);
    for (const [i, name] of outputs.entries()) {
      const transposed = graph.addNode({ opType: 'Transpose', inputs: [(weights[i] as Weight).add(graph)], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
      const product = graph.addNode({ opType: 'MatMul', name, inputs: [x, transposed], outputs: [name] }).output();
      graph.outputs.push(graph.addNode({ opType: 'Sigmoid', inputs: [product], outputs: [name === 'a' ? 'y' : `sigmoid_${name}`] }).output());
    }
  });
  const byte = { ...uint16(1 / 2, 128), dtype: 'uint8' } as const;
  const sigmoids = Object.fromEntries(source.graph.outputs.map(({ name }) => [name, uint16(1 / 65_535, 0)]));
  const { model } = lowerModel(source, encodingsOf({ x: X, a: uint16(1 / 64), b: uint16(1 / 64), c: byte, d: byte, ...sigmoids }, new Map(weights.flatMap(({ parameters }) => [...parameters]))), 'g', true);
  const count = (opType: string): number => ops(model).filter((op) => op === opType).length;
  expect(['CodeLinear', 'MatMulNBits', 'Split'].map(count)).toEqual([2, 1, 1]);
  expect(new Set(await run(model, new Map([['x', codesOf(batch * columns)]]))).size).toBeGreaterThan(20);
});

describe('a compiled part', async () => {
  const weight = lpbq(512, 256, 32);
  const file = join(temporaryFolder(), 'block-0.weights');
  const models = [1, 8].map((rows) => linearModel(rows, 256, weight)).map((model) => inFile(model, file));
  const encodings = encodingsOf({ x: X, y: uint16(1 / 64) }, weight.parameters);
  const resolve = (): string => file;
  const { graphs, files } = await compileModels(models, encodings, resolve, { operators: 'own' });
  const onDisk = placed(files, resolve);

  it('refers to the weight files that quantize wrote, and adds no byte to them', () => {
    expect([...onDisk.keys()].sort()).toEqual(['ar1_cl1_1_of_1.onnx', 'ar1_cl2_1_of_1.onnx', 'block-0.weights']);
    expect(files.at(-1)).toEqual({ name: 'block-0.weights', content: { location: 'block-0.weights' } });
    for (const graph of ['ar1_cl1_1_of_1.onnx', 'ar1_cl2_1_of_1.onnx']) expect(statSync(onDisk.get(graph) as string).size).toBeLessThan(4096);
  });

  it('computes what the lowered graph computes, one row at a time or eight', async () => {
    const executable = await hostToolchain().open({ graphs, files: onDisk, threads: 2 });
    const x = codesOf(8 * 256);
    const all = (await executable.run('ar1_cl2_1_of_1', new Map([['x', x]]))).get('y') as Uint16Array;
    const first = (await executable.run('ar1_cl1_1_of_1', new Map([['x', x.slice(0, 256)]]))).get('y') as Uint16Array;
    await executable.close();
    expect(first).toEqual(all.slice(0, 512));
    expect(all).toEqual(await run(lowerModel(linearModel(8, 256, weight), encodings, 'g', true).model, new Map([['x', x]])));
  });

  it('is not compiled without a weight file that it would refer to', async () => {
    await expect(compileModels(models, encodings, () => join(file, 'gone'), { operators: 'own' })).rejects.toThrow(/HOST_FILE_MISSING.*block-0.weights/);
  });
});

/** The model with its constants of 1 kB and more moved into `file`. */
function inFile(model: Model, file: string): Model {
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const value of model.graph.initializers) {
    const { tensor } = value;
    if (tensor?.kind !== 'inline' || tensor.data.byteLength < 1024) continue;
    value.tensor = { kind: 'external', dtype: tensor.dtype, dims: tensor.dims, location: 'block-0.weights', offset, length: tensor.data.byteLength };
    parts.push(tensor.data);
    offset += tensor.data.byteLength;
  }
  writeFileSync(file, Buffer.concat(parts));
  return model;
}

/** A process of its own opens several sessions at once: ONNX Runtime learns of the domain in the first one. */
const PROGRAM = `
  const { hostReference } = await import('@tundish/toolchain-host');
  const { DataType, Graph, floatTensor, inlineTensor } = await import('@tundish/graph');
  const graph = new Graph('g');
  const inputs = [graph.addInput('x', DataType.UINT16, [1, 32]), graph.addInitializer('W', inlineTensor(DataType.INT8, [8, 32], new Uint8Array(256))), graph.addInitializer('S', floatTensor(new Float32Array(8)))];
  const attributes = { x_scale: { type: 'float', value: 1 }, x_zero: { type: 'int', value: 0 }, y_scale: { type: 'float', value: 1 }, y_zero: { type: 'int', value: 7 } };
  graph.outputs.push(Object.assign(graph.addNode({ opType: 'CodeLinear', domain: 'tundish', inputs, outputs: ['y'], attributes }).output(), { dtype: DataType.UINT16, shape: [1, 8] }));
  const model = { irVersion: 11, opsetImports: new Map([['', 23], ['tundish', 1]]), producerName: '', metadata: new Map(), graph };
  const opened = await Promise.all([1, 2, 3, 4, 5, 6].map(() => hostReference().open({ model, resolve: (location) => location, threads: 1 })));
  const results = await Promise.all(opened.map((session) => session.run(new Map([['x', new Uint16Array(32)]]))));
  await Promise.all(opened.map((session) => session.close()));
  process.stdout.write(results.map((result) => [...result.get('y')].join('')).join(' '));
`;

it('the sessions of a process may be opened at the same time', async () => {
  const runs = await Promise.all([1, 2, 3].map(() => promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROGRAM], { cwd: import.meta.dirname })));
  for (const { stdout } of runs) expect(stdout).toBe(Array.from({ length: 6 }, () => '77777777').join(' '));
});

it('operands that do not go together fail the run with their reason, and nothing is read past its end', async () => {
  const grids = { x_scale: 1, x_zero: 0, y_scale: 1, y_zero: 0 };
  const attributes = Object.fromEntries(Object.entries(grids).map(([name, value]) => [name, name.endsWith('scale') ? { type: 'float', value } as const : int(value)]));
  const graph = new Graph('g');
  const x = graph.addInput('x', DataType.UINT16, [2, 64]);
  const inputs = [x, graph.addInitializer('W', inlineTensor(DataType.UINT8, [8, 16], new Uint8Array(128))), graph.addInitializer('S', floatTensor(new Float32Array(8))), graph.addInitializer('B', inlineTensor(DataType.UINT8, [8, 1], new Uint8Array(8)))];
  const y = graph.addNode({ opType: 'CodeLinear', domain: 'tundish', inputs, outputs: ['y'], attributes }).output();
  [y.dtype, y.shape] = [DataType.UINT16, [2, 8]];
  graph.outputs.push(y);
  const model: Model = { irVersion: 11, opsetImports: new Map([['', 23], ['tundish', 1]]), producerName: 'test', metadata: new Map(), graph };
  await expect(run(model, new Map([['x', new Uint16Array(128)]]))).rejects.toThrow(/HOST_RUN_FAILED[^]*as many columns as x/);
});
