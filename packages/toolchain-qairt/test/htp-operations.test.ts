/** Graphs of one operation, computed by the emulator and by the host with `numerics: htp`, over the same codes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { type Attribute, DataType, type Encodings, Graph, type Model, type PerTensorEncoding, type Value, bytesOf, floatTensor, inferShapes, inlineTensor } from '@tundish/graph';
import { hostToolchain } from '@tundish/toolchain-host';
import { type QairtLibraries, childOptionsOf, composeGraph, elementsOf, libraryPath, withChild } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { roundHalfEven } from '../../toolchain-host/test/small-graph.js';
import type { Codes } from './code-runner.js';
import { describeWith, realLibraries } from './real-libraries.js';

const real = realLibraries();
const folder = mkdtempSync(join(tmpdir(), 'tundish-operations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(ensureAddon);

const int = (value: number): Attribute => ({ type: 'int', value });
const grid = (scale: number, zeroPoint: number, dtype: PerTensorEncoding['dtype'] = 'uint16'): PerTensorEncoding => ({ kind: 'per-tensor', dtype, scale: Math.fround(scale), zeroPoint, symmetric: dtype === 'uint8' });

let state = 9;
const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
/** Codes that lie in a bell around the middle, as activations do. */
const bell = (length: number, middle: number, spread: number): number[] => Array.from({ length }, () => Math.min(65_535, Math.max(0, roundHalfEven(middle + spread * (random() + random() + random() + random() - 2)))));

interface Case {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly feeds: Readonly<Record<string, readonly number[]>>;
  readonly encodings: Readonly<Record<string, PerTensorEncoding>>;
  readonly parameters?: Encodings['parameters'];
  readonly build: (graph: Graph, inputs: readonly Value[]) => void;
}

const op = (opType: string, attributes: Record<string, Attribute> = {}) => (graph: Graph, inputs: readonly Value[]): void => {
  graph.outputs.push(graph.addNode({ opType, name: opType, inputs, outputs: ['y'], attributes }).output());
};

const [ROWS, COLUMNS] = [32, 256];
const SQUARE = [1, 1, ROWS, COLUMNS];
const A = grid(20 / 65_535, 30_011);
const B = grid(7 / 65_535, 35_003);

function binary(opType: string, y: PerTensorEncoding): Case {
  return { shapes: { a: SQUARE, b: SQUARE }, feeds: { a: bell(ROWS * COLUMNS, 30_011, 20_000), b: bell(ROWS * COLUMNS, 35_003, 20_000) }, encodings: { a: A, b: B, y }, build: op(opType) };
}

/** A head times cosines or sines. */
const rotated: Case = { ...binary('Mul', grid(14 / 65_535, 32_000)), encodings: { a: A, b: grid(2 / 65_535, 32_768), y: grid(14 / 65_535, 32_000) } };

const TABLE = grid(2 / 65_535, 32_768);

/** A whole rotation as one operation; what lies inside has any grid. */
function rotary(rows: number, width: number): Case {
  const half = width / 2;
  const y = grid(22 / 65_535, 31_000);
  const angles = Array.from({ length: rows * half }, () => 2 * Math.PI * random());
  const table = (of: (angle: number) => number): number[] => angles.map((angle) => Math.min(65_535, Math.floor(of(angle) / TABLE.scale) + TABLE.zeroPoint));
  return {
    shapes: { a: [1, 1, rows, width], cos: [1, 1, rows, half], sin: [1, 1, rows, half] },
    feeds: { a: bell(rows * width, 30_011, 20_000), cos: table(Math.cos), sin: table(Math.sin) },
    encodings: { a: A, cos: TABLE, sin: TABLE, ...Object.fromEntries(['x1', 'x2', 'c1', 's2', 's1', 'c2', 'difference', 'sum', 'y'].map((name) => [name, y])) },
    build: (graph, inputs) => {
      const [x, cos, sin] = inputs as [Value, Value, Value];
      const emit = (opType: string, name: string, operands: readonly Value[], attributes: Record<string, Attribute> = {}): Value => graph.addNode({ opType, inputs: operands, outputs: [name], attributes }).output();
      const [x1, x2] = graph.addNode({ opType: 'Split', inputs: [x], outputs: ['x1', 'x2'], attributes: { axis: int(3), num_outputs: int(2) } }).outputs as [Value, Value];
      const halves = [emit('Sub', 'difference', [emit('Mul', 'c1', [x1, cos]), emit('Mul', 's2', [x2, sin])]), emit('Add', 'sum', [emit('Mul', 's1', [x1, sin]), emit('Mul', 'c2', [x2, cos])])];
      graph.outputs.push(emit('Concat', 'y', halves, { axis: int(3) }));
    },
  };
}

function projection(bits: 4 | 8): Case {
  const outputs = 64;
  const scale = Float32Array.from({ length: outputs }, () => (0.3 + random()) / (bits === 4 ? 40 : 700));
  const codes = Int8Array.from({ length: outputs * COLUMNS }, () => Math.floor(random() * 2 ** bits) - 2 ** (bits - 1));
  const packed = Uint8Array.from({ length: codes.length / 2 }, (_, i) => ((codes[2 * i] as number) + 8) | (((codes[2 * i + 1] as number) + 8) << 4));
  const weight = bits === 8 ? inlineTensor(DataType.INT8, [outputs, COLUMNS], bytesOf(codes)) : inlineTensor(DataType.UINT4, [outputs, COLUMNS], packed);
  const zeros = bits === 8 ? [] : [inlineTensor(DataType.UINT4, [outputs], new Uint8Array(outputs / 2).fill(0x88))];
  return {
    shapes: { a: SQUARE }, feeds: { a: bell(ROWS * COLUMNS, 30_011, 20_000) }, encodings: { a: A, y: grid(120 / 65_535, 33_000) },
    parameters: new Map([['W', { kind: 'per-channel', dtype: bits === 4 ? 'int4' : 'int8', axis: 0, scale }]]),
    build: (graph, inputs) => {
      const operands = [graph.addInitializer('W', weight), graph.addInitializer('S', floatTensor(scale)), ...zeros.map((tensor) => graph.addInitializer('Z', tensor))];
      const widened = graph.addNode({ opType: 'DequantizeLinear', inputs: operands, attributes: { axis: int(0) } }).output();
      const turned = graph.addNode({ opType: 'Transpose', inputs: [widened], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
      op('MatMul')(graph, [...inputs, turned]);
    },
  };
}

function withCache(cache: PerTensorEncoding): Case {
  const codes = cache.dtype === 'uint8' ? bell(COLUMNS * 48, 128, 60) : bell(COLUMNS * 48, 32_768, 16_000);
  return { shapes: { a: SQUARE, b: [1, 1, COLUMNS, 48] }, feeds: { a: bell(ROWS * COLUMNS, 30_011, 20_000), b: codes }, encodings: { a: A, b: cache, y: grid(150 / 65_535, 31_000) }, build: op('MatMul') };
}

const norm: Case = {
  shapes: { a: SQUARE }, feeds: { a: bell(ROWS * COLUMNS, 30_011, 20_000) }, encodings: { a: A, y: grid(12 / 65_535, 32_000) },
  build: (graph, inputs) => {
    const codes = Uint16Array.from({ length: COLUMNS }, () => Math.floor(random() * 65_536));
    const gain = graph.addNode({ opType: 'DequantizeLinear', inputs: [graph.addInitializer('G', inlineTensor(DataType.UINT16, [COLUMNS], bytesOf(codes))), graph.addInitializer('GS', floatTensor([3e-5], [])), graph.addInitializer('GZ', inlineTensor(DataType.UINT16, [], bytesOf(Uint16Array.of(1000))))] }).output();
    op('RMSNormalization', { epsilon: { type: 'float', value: 1e-5 } })(graph, [...inputs, gain]);
  },
};

async function emulated(libraries: QairtLibraries, model: Model, encodings: Encodings, feeds: Record<string, Codes>): Promise<Codes> {
  return withChild(childOptionsOf(libraries), async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: 1, soc: 69 });
    const plan = composeGraph(model, encodings, 'one', { rotaryEmbedding: 'operation' });
    const context = await child.call('createContext', { weightSharing: false });
    const graph = await child.call('composePlan', { context, plan, paths: {}, options: { optimization: 3, vtcmMegabytes: 8 } });
    await child.call('finalize', { graph });
    const results = await child.call('execute', { graph, inputs: feeds });
    return elementsOf(results['y'] as Uint8Array, plan.outputs[0]?.element ?? 0) as Codes;
  });
}

async function simulated(model: Model, encodings: Encodings, feeds: Record<string, Codes>): Promise<Codes> {
  const host = hostToolchain();
  const context = { signal: new AbortController().signal, reporter: silentReporter, scratch: mkdtempSync(join(folder, 'host-')) };
  const { io, files } = await host.convert(context, { cell: { ar: 1, cl: 2, part: 1, parts: 1 }, model, encodings, options: { numerics: 'htp', rotaryEmbedding: 'operation' } });
  const path = (name: string, content: (typeof files)[number]['content']): string => {
    if ('path' in content) return content.path;
    const at = join(context.scratch, name);
    if ('bytes' in content) writeFileSync(at, content.bytes);
    return at;
  };
  const compiled = await host.compile(context, { part: 1, parts: 1, graphs: [{ io, files: new Map(files.map(({ name, content }) => [name, path(name, content)])) }], resolve: (location) => location, options: {} });
  const opened = await host.open({ graphs: compiled.graphs, files: new Map(compiled.files.map(({ name, content }) => [name, path(name, content)])), threads: 1 });
  return ((await opened.run(io.name, new Map(Object.entries(feeds))).finally(() => opened.close())).get('y')) as Codes;
}

describeWith(real.slice(0, 1), '%s', (_title, libraries) => {
  // The share of codes that differ, and by how many at most; docs/numerics-htp.md has what was measured.
  it.each<[string, Case, share: number, most: number]>([
    ['a projection with 8 bits a channel', projection(8), 0.002, 1],
    ['a projection with 4 bits a channel', projection(4), 0.002, 1],
    ['a product with a cache of 8 bits', withCache(grid(5 / 127, 128, 'uint8')), 0.002, 1],
    ['a product with a cache of 16 bits', withCache(grid(5 / 32_767, 32_768)), 0.002, 1],
    ['Add', binary('Add', grid(24 / 65_535, 32_000)), 0.001, 1],
    ['Sub', binary('Sub', grid(24 / 65_535, 32_000)), 0.001, 1],
    ['Mul', binary('Mul', grid(40 / 65_535, 32_000)), 0.08, 1],
    ['Mul with cosines', rotated, 0.005, 1],
    ['RotaryEmbedding, heads of 64', rotary(32, 64), 0.0005, 1],
    ['RotaryEmbedding, heads of 64, 1 row', rotary(1, 64), 0.02, 1],
    ['RotaryEmbedding, heads of 32', rotary(32, 32), 0.02, 1],
    ['RotaryEmbedding, heads of 96, 1 row', rotary(1, 96), 0.05, 1],
    ['RMSNormalization', norm, 0.002, 1],
    ['Softmax', { shapes: { a: SQUARE }, feeds: { a: bell(ROWS * COLUMNS, 40_000, 9000) }, encodings: { a: grid(60 / 65_535, 30_011), y: grid(1 / 65_535, 0) }, build: op('Softmax') }, 0.02, 4],
    ['Sigmoid', { shapes: { a: [1, 1, 256, 256] }, feeds: { a: Array.from({ length: 65_536 }, (_, i) => i) }, encodings: { a: grid(22 / 65_535, 30_000), y: grid(1 / 65_535, 0) }, build: op('Sigmoid') }, 0.35, 6],
    ['a turn into a cache of 8 bits', { shapes: { a: SQUARE }, feeds: { a: bell(ROWS * COLUMNS, 30_011, 20_000) }, encodings: { a: A, y: grid(9 / 127, 128, 'uint8') }, build: op('Transpose', { perm: { type: 'ints', value: [0, 1, 3, 2] } }) }, 0.02, 1],
    ['a turn into a cache of 16 bits', { shapes: { a: SQUARE }, feeds: { a: bell(ROWS * COLUMNS, 30_011, 20_000) }, encodings: { a: A, y: grid(9 / 32_767, 32_768) }, build: op('Transpose', { perm: { type: 'ints', value: [0, 1, 3, 2] } }) }, 0.05, 1],
  ])('%s', async (_operation, { shapes, feeds, encodings, parameters = new Map(), build }, share, most) => {
    const graph = new Graph('one');
    build(graph, Object.entries(shapes).map(([name, shape]) => graph.addInput(name, DataType.FLOAT, shape)));
    const model: Model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'test', metadata: new Map(), graph };
    inferShapes(model);
    const all: Encodings = { activations: new Map(Object.entries(encodings)), parameters };
    const codes = Object.fromEntries(Object.entries(feeds).map(([name, values]) => [name, encodings[name]?.dtype === 'uint8' ? Uint8Array.from(values) : Uint16Array.from(values)]));
    const [device, host] = await Promise.all([emulated(libraries, model, all, codes), simulated(model, all, codes)]);
    const differences = Array.from(host, (code, i) => Math.abs(code - (device[i] as number)));
    const different = differences.filter((difference) => difference > 0).length / differences.length;
    expect(different).toBeLessThanOrEqual(share);
    expect(Math.max(...differences)).toBeLessThanOrEqual(most);
    expect(new Set(device).size).toBeGreaterThan(50);
  });
});
