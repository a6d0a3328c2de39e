/** Graphs lowered with the numerics of a Hexagon processor, against the laws computed the slow way; and what has none. */
import { type Attribute, DataType, type Encodings, type Graph, type Model, type PerTensorEncoding, type Value, bytesOf, floatTensor, inlineTensor } from '@tundish/graph';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { hostReference, hostToolchain } from '../src/index.js';
import { lowerModel } from '../src/lowering/lower-graph.js';
import { addCode, clip, mulCode, rmsNormCodes, rotaryCodes, sigmoidCode, softmaxCodes, sumCode } from './htp-laws.js';
import { context, encodingsOf, modelOf, roundHalfEven, seeded, uint16 } from './small-graph.js';

beforeAll(ensureAddon);

type Codes = Uint16Array | Uint8Array;
const random = seeded(5);
const below = (count: number): number => Math.floor(random() * count);
const uint8 = (scale: number): PerTensorEncoding => ({ kind: 'per-tensor', dtype: 'uint8', scale: Math.fround(scale), zeroPoint: 128, symmetric: true });
/** Codes with the ends of the range among them. */
const codes = (length: number): Uint16Array => Uint16Array.from({ length }, () => (below(8) === 0 ? below(2) * 65_535 : below(65_536)));
/** Codes around the middle. */
const near = (length: number, middle: number, spread: number): Uint16Array => Uint16Array.from({ length }, () => middle - spread + below(2 * spread + 1));
const int = (value: number): Attribute => ({ type: 'int', value });

const A = uint16(1 / 5000, 30_011);
const B = uint16(1 / 9000, 35_003);
const Y = uint16(1 / 3100, 32_987);

function lowered(model: Model, encodings: Encodings, rotaryEmbedding: 'composed' | 'operation' = 'composed'): Model {
  return lowerModel(model, encodings, 'g', true, { numerics: 'htp', rotaryEmbedding }).model;
}

async function run(model: Model, feeds: Record<string, Codes>, threads = 1): Promise<Codes> {
  const opened = await hostReference().open({ model, resolve: (location) => location, threads });
  return (await opened.run(new Map(Object.entries(feeds))).finally(() => opened.close())).get('y') as Codes;
}

/** y = op(a [shape], b [other]). */
function binaryModel(opType: string, shape: readonly number[], other: readonly number[]): Model {
  return modelOf((graph) => {
    const inputs = [graph.addInput('a', DataType.FLOAT, shape), graph.addInput('b', DataType.FLOAT, other)];
    graph.outputs.push(graph.addNode({ opType, name: opType, inputs, outputs: ['y'] }).output());
  });
}

function unaryModel(opType: string, shape: readonly number[], attributes: Record<string, Attribute> = {}): Model {
  return modelOf((graph) => {
    graph.outputs.push(graph.addNode({ opType, name: opType, inputs: [graph.addInput('a', DataType.FLOAT, shape)], outputs: ['y'], attributes }).output());
  });
}

/** Halves of a, turned by cos and sin. @param tapped a value inside that is an output too */
function rotationModel([batch = 1, heads = 1, ar = 1, width = 2]: readonly number[], tapped?: string): Model {
  return modelOf((graph) => {
    const [cos, sin] = ['cos', 'sin'].map((name) => graph.addInput(name, DataType.FLOAT, [1, 1, ar, width / 2])) as [Value, Value];
    const emit = (opType: string, name: string, inputs: readonly Value[], attributes: Record<string, Attribute> = {}): Value => graph.addNode({ opType, inputs, outputs: [name], attributes }).output();
    const a = graph.addInput('a', DataType.FLOAT, [batch, heads, ar, width]);
    const [x1, x2] = graph.addNode({ opType: 'Split', inputs: [a], outputs: ['x1', 'x2'], attributes: { axis: int(-1), num_outputs: int(2) } }).outputs as [Value, Value];
    const difference = emit('Sub', 'difference', [emit('Mul', 'c1', [x1, cos]), emit('Mul', 's2', [x2, sin])]);
    const sum = emit('Add', 'sum', [emit('Mul', 's1', [x1, sin]), emit('Mul', 'c2', [x2, cos])]);
    graph.outputs.push(emit('Concat', 'y', [difference, sum], { axis: int(-1) }));
    if (tapped !== undefined) graph.outputs.push(graph.value(tapped));
  });
}

describe('products lose the low bits of their sums', () => {
  it.each([[1, 48], [7, 320]])('with a weight of 8 bits a channel, %i rows of %i columns', async (batch, columns) => {
    const rows = 37;
    const weight = Int8Array.from({ length: rows * columns }, () => below(256) - 128);
    const scale = Float32Array.from({ length: rows }, () => 1e-4 + random() / 1000);
    const model = modelOf((graph) => {
      const inputs = [graph.addInitializer('W', inlineTensor(DataType.INT8, [rows, columns], bytesOf(weight))), graph.addInitializer('S', floatTensor(scale))];
      const real = graph.addNode({ opType: 'DequantizeLinear', inputs, attributes: { axis: int(0) } }).output();
      const turned = graph.addNode({ opType: 'Transpose', inputs: [real], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
      graph.outputs.push(graph.addNode({ opType: 'MatMul', name: 'product', inputs: [graph.addInput('a', DataType.FLOAT, [1, batch, columns]), turned], outputs: ['y'] }).output());
    });
    const made = lowered(model, encodingsOf({ a: A, y: Y }));
    expect(made.graph.nodes.map(({ opType }) => opType)).toEqual(['HtpLinear']);
    const a = codes(batch * columns);
    const got = await run(made, { a });
    expect(got).toEqual(Uint16Array.from(got, (_, i) => {
      const [m, n] = [Math.floor(i / rows), i % rows];
      return sumCode(Array.from({ length: columns }, (__, k) => [a[m * columns + k] as number, weight[n * columns + k] as number]), A, A.scale * (scale[n] as number), Y);
    }));
    expect(new Set(got).size).toBeGreaterThan(30);
  });

  it.each([['8', uint8(1 / 90), 8, 128], ['16', uint16(1 / 25_000), 16, 32_768]] as const)('with a cache of %s bits, behind which scores are scaled', async (_bits, cache, dropped, middle) => {
    const [rows, inner, columns] = [6, 40, 35];
    const model = modelOf((graph) => {
      const product = graph.addNode({ opType: 'MatMul', name: 'scores', inputs: [graph.addInput('a', DataType.FLOAT, [2, rows, inner]), graph.addInput('b', DataType.FLOAT, [2, inner, columns])] }).output();
      graph.outputs.push(graph.addNode({ opType: 'Mul', name: 'scaled', inputs: [product, graph.addInitializer('c', floatTensor([0.25], []))], outputs: ['y'] }).output());
    });
    const made = lowered(model, encodingsOf({ a: A, b: cache, y: Y }));
    expect(made.graph.nodes.map(({ opType }) => opType)).toEqual(['HtpMatMul']);
    const a = codes(2 * rows * inner);
    const b = dropped === 8 ? Uint8Array.from({ length: 2 * inner * columns }, () => below(256)) : codes(2 * inner * columns);
    const got = await run(made, { a, b });
    const scaled = { ...A, scale: Math.fround(A.scale * 0.25) };
    expect(got).toEqual(Uint16Array.from(got, (_, i) => {
      const [batch, m, n] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
      return sumCode(Array.from({ length: inner }, (__, k) => [a[(batch * rows + m) * inner + k] as number, (b[(batch * inner + k) * columns + n] as number) - middle]), scaled, scaled.scale * cache.scale, Y, dropped);
    }));
  });
});

describe('operations element by element', () => {
  it.each([['Add', 1], ['Sub', -1]] as const)('%s weighs with 15 bits, and repeats as numpy does', async (op, sign) => {
    const [a, b] = [codes(3 * 4 * 10), codes(4 * 10)];
    const got = await run(lowered(binaryModel(op, [3, 4, 10], [1, 4, 10]), encodingsOf({ a: A, b: B, y: Y })), { a, b });
    expect(got).toEqual(Uint16Array.from(a, (code, i) => addCode(code, b[i % 40] as number, { a: A, b: B, y: Y }, sign)));
  });

  it.each([['of many', B], ['of many, symmetric', uint16(2 / 65_535)]])('Mul rounds, also with one column in place %s', async (_, second) => {
    const [a, b] = [near(50 * 12, 30_011, 9000), near(50, 35_003, 20_000)];
    const got = await run(lowered(binaryModel('Mul', [50, 12], [50, 1]), encodingsOf({ a: A, b: second, y: Y })), { a, b });
    expect(got).toEqual(Uint16Array.from(a, (code, i) => mulCode(code, b[Math.floor(i / 12)] as number, { a: A, b: second, y: Y })));
  });

  it('Sigmoid gives even codes on 1/65536', async () => {
    const grid = uint16(1 / 4000, 30_000);
    const a = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const made = lowered(unaryModel('Sigmoid', [65_536]), encodingsOf({ a: grid, y: uint16(1 / 65_535, 0) }));
    const got = await run(made, { a });
    const wrong = got.filter((code, i) => code !== sigmoidCode(i, grid)).length;
    // 2^-22 of the exponent is cut off, which a floor seldom sees.
    expect(wrong).toBeLessThan(60);
    expect(got.every((code, i) => code % 2 === 0 || code === 65_535 ? Math.abs(code - sigmoidCode(i, grid)) <= 2 : false)).toBe(true);
  });

  it('a transposed value on a grid of its own is converted: to 8 bits from one code below the middle up, to 16 by rounding', async () => {
    const a = near(2 * 700, A.zeroPoint, 25_000);
    const from = unaryModel('Transpose', [2, 700], { perm: { type: 'ints', value: [1, 0] } });
    const turned = Uint16Array.from(a, (_, i) => a[(i % 2) * 700 + Math.floor(i / 2)] as number);
    const narrow = uint8(1 / 30);
    const [eight, sixteen] = await Promise.all([narrow, B].map((y) => run(lowered(from, encodingsOf({ a: A, y })), { a })));
    expect(eight).toEqual(Uint8Array.from(turned, (code) => clip(Math.floor((code - A.zeroPoint + 1) * (A.scale / narrow.scale) + 0.5) + 128, 255)));
    expect(sixteen).toEqual(Uint16Array.from(turned, (code) => clip(roundHalfEven((code - A.zeroPoint) * (A.scale / B.scale)) + B.zeroPoint)));
  });
});

describe('operations row by row', () => {
  const table = uint16(2 / 65_535, 32_768);
  const inner = Object.fromEntries(['c1', 's2', 's1', 'c2', 'difference', 'sum', 'y'].map((name) => [name, Y]));
  const grids = encodingsOf({ a: A, cos: table, sin: table, x1: A, x2: A, ...inner });

  it.each<[ar: number, half: number, up: number | undefined]>([[8, 4, 0.5], [1, 40, 0.5], [1, 30, undefined], [3, 32, 0], [4, 32, undefined]])('a rotary embedding of %i rows and halves of %i is one operation', async (ar, half, up) => {
    const heads = 3;
    const made = lowered(rotationModel([1, heads, ar, 2 * half]), grids, 'operation');
    expect(made.graph.nodes.map(({ opType }) => opType)).toEqual(['HtpRotary']);
    const [a, cos, sin] = [codes(heads * ar * 2 * half), codes(ar * half), codes(ar * half)] as const;
    const [one, two] = [await run(made, { a, cos, sin }), await run(made, { a, cos, sin }, 2)];
    expect(two).toEqual(one);
    const want = new Uint16Array(a.length);
    for (let row = 0; row < heads * ar; row++) {
      for (let i = 0; i < half; i++) {
        const [first, second, at] = [row * 2 * half + i, row * 2 * half + half + i, (row % ar) * half + i];
        [want[first], want[second]] = rotaryCodes([a[first] as number, a[second] as number], [cos[at] as number, sin[at] as number], { x: A, table, y: Y }, up);
      }
    }
    expect(one).toEqual(want);
    expect(new Set(one).size).toBeGreaterThan(50);
  });

  it('a rotary embedding stays what it is where nothing else is asked for, or somebody reads what lies inside', () => {
    const ops = (model: Model, form?: 'operation'): string[] => lowered(model, grids, form).graph.nodes.map(({ opType }) => opType);
    expect(ops(rotationModel([1, 1, 5, 8])).filter((op) => op === 'HtpMul')).toHaveLength(4);
    expect(ops(rotationModel([1, 1, 5, 8], 'sum'), 'operation').filter((op) => op === 'HtpMul')).toHaveLength(4);
  });

  it('RMSNormalization rounds down', async () => {
    const [rows, columns] = [9, 50];
    const gain = Float32Array.from({ length: columns }, () => random() * 3 - 1);
    const model = modelOf((graph) => {
      const inputs = [graph.addInput('a', DataType.FLOAT, [rows, columns]), graph.addInitializer('gain', floatTensor(gain))];
      graph.outputs.push(graph.addNode({ opType: 'RMSNormalization', name: 'norm', inputs, outputs: ['y'], attributes: { epsilon: { type: 'float', value: Math.fround(1e-5) } } }).output());
    });
    const y = uint16(1 / 6000, 31_000);
    const a = codes(rows * columns);
    const got = await run(lowered(model, encodingsOf({ a: A, y })), { a });
    expect([...got]).toEqual(Array.from({ length: rows }, (_, row) => rmsNormCodes([...a.subarray(row * columns, (row + 1) * columns)], [...gain], { x: A, y, epsilon: Math.fround(1e-5) })).flat());
  });

  it('Softmax cuts off exponentials and shares, the same on every number of threads', async () => {
    const [rows, columns] = [150, 260];
    const grid = uint16(0.0011, 30_000);
    const a = near(rows * columns, 40_000, 6000);
    const made = lowered(unaryModel('Softmax', [rows, columns]), encodingsOf({ a: grid, y: uint16(1 / 65_535, 0) }));
    const [one, two] = [await run(made, { a }), await run(made, { a }, 2)];
    expect(two).toEqual(one);
    const want = Array.from({ length: rows }, (_, row) => softmaxCodes([...a.subarray(row * columns, (row + 1) * columns)], grid)).flat();
    expect([...one]).toEqual(want);
  });
});

describe('a graph that no device computes', () => {
  const constant = modelOf((graph) => {
    graph.outputs.push(graph.addNode({ opType: 'Add', name: 'sum', inputs: [graph.addInput('a', DataType.FLOAT, [4]), graph.addInitializer('c', floatTensor([1, 2, 3, 4]))], outputs: ['y'] }).output());
  });
  const joined = modelOf((graph: Graph) => {
    graph.outputs.push(graph.addNode({ opType: 'Concat', name: 'joined', inputs: [graph.addInput('a', DataType.FLOAT, [4]), graph.addInput('b', DataType.FLOAT, [4])], outputs: ['y'], attributes: { axis: int(0) } }).output());
  });
  it.each<[string, Model, Record<string, PerTensorEncoding>, RegExp]>([
    ['an operation without a law', unaryModel('Relu', [4]), { a: A, y: Y }, /HOST_NUMERICS: Relu Relu .* no law is known/s],
    ['a constant in floating point', constant, { a: A, y: Y }, /operand c has no codes/],
    ['a product of 8 bits with 8', binaryModel('MatMul', [4, 16], [16, 4]), { a: uint8(1), b: uint8(1), y: Y }, /no product of codes of 16 bits/],
    ['probabilities on a grid of their own', unaryModel('Softmax', [4]), { a: A, y: Y }, /the law holds for 1\/65535 from 0/],
    ['a softmax along another axis', unaryModel('Softmax', [4, 4], { axis: int(0) }), { a: A, y: uint16(1 / 65_535, 0) }, /last axis/],
    ['two grids in one', joined, { a: A, b: B, y: Y }, /on several grids/],
    ['heads with grids of their own', joined, { a: A, b: A, y: { ...A, headScales: [A.scale, 1] } }, /y has scales of heads/],
    ['a value without an encoding', binaryModel('Add', [4], [4]), { a: A, b: B }, /HOST_ENCODING_MISSING: 1 value would stay/],
  ])('is refused: %s', (_, model, encodings, message) => {
    expect(() => lowered(model, encodingsOf(encodings))).toThrow(message);
  });

  it.each<[string, 'own' | 'standard', Encodings | undefined, RegExp]>([
    ['without operators of our own', 'standard', encodingsOf({ a: A, b: B, y: Y }), /the addon, which is not built here/],
    ['in floating point', 'own', undefined, /the build is in floating point/],
    ['with quantized weights alone', 'own', encodingsOf({}), /only the weights are quantized/],
  ])('is refused by convert: %s', async (_, operators, encodings, message) => {
    const request = { cell: { ar: 1, cl: 2, part: 1, parts: 1 }, model: binaryModel('Add', [4], [4]), ...(encodings === undefined ? {} : { encodings }), options: { numerics: 'htp' } };
    await expect(hostToolchain({ operators }).convert(context(), request)).rejects.toThrow(message);
  });

  it('tables of cosines and sines are rounded down, nothing else is', async () => {
    const model = modelOf((graph) => {
      const inputs = ['position_ids_cos', 'x'].map((name) => graph.addInput(name, DataType.FLOAT, [4]));
      graph.outputs.push(graph.addNode({ opType: 'Mul', name: 'mul', inputs, outputs: ['y'] }).output());
    });
    const encodings = encodingsOf({ position_ids_cos: A, x: B, y: Y });
    const request = { cell: { ar: 1, cl: 2, part: 1, parts: 1 }, model, encodings };
    const roundings = async (options: Record<string, unknown>) => {
      const { io } = await hostToolchain().convert(context(), { ...request, options });
      return [...io.inputs, ...io.outputs].map(({ quantization }) => quantization?.rounding);
    };
    expect(await roundings({ numerics: 'htp' })).toEqual(['down', undefined, undefined]);
    expect(await roundings({})).toEqual([undefined, undefined, undefined]);
  });
});
