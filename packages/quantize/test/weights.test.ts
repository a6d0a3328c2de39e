import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Rotation, addRotation, DataType, Graph, type ExternalTensor, bytesOf } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { hostReference } from '@tundish/toolchain-host';
import { describe, expect, test } from 'vitest';
import { cpuMilliseconds } from '../../../test/fixtures/cpu-time.js';
import { asymmetricUnsigned } from '../src/calibration/encoding-rules.js';
import { quantizeLpbq } from '../src/lpbq/lpbq.js';
import { FloatStack } from '../src/float-stack.js';
import { quantizeFloatScales, quantizePerChannel8 } from '../src/float-scales/float-scales.js';
import { quantizePerTensor } from '../src/per-tensor/per-tensor.js';
import { WeightFile } from '../src/weight-file.js';
import { blockOf } from '../src/weight-scheme.js';
import { TensorFiles, type WeightSource, rowChunks, rowParts, weightSource } from '../src/weight-source.js';
import { zeroPointRange } from '../src/zero-points.js';
import { adapt, repositoryPath, temporaryFolder } from './adapted.js';

const kernels = loadKernels();

/** Roughly normal values with outliers, a dead row and a row of one sign. */
function weights(rows: number, columns: number): Float32Array {
  let state = 7;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const values = Float32Array.from({ length: rows * columns }, () => (random() + random() + random() - 1.5) * (random() < 0.01 ? 8 : 0.05));
  values.fill(0, columns, 2 * columns);
  for (let i = 2 * columns; i < 3 * columns; i++) values[i] = Math.abs(values[i] ?? 0);
  return values;
}

function sourceOf(values: Float32Array, rows: number, columns: number): WeightSource & { readonly asked: number[] } {
  const asked: number[] = [];
  return { name: 'w', rows, columns, asked, read: (from, to) => (asked.push(to - from), values.slice(from * columns, to * columns)) };
}

async function written<T>(use: (file: WeightFile) => Promise<T>): Promise<{ readonly result: T; bytes(tensor: ExternalTensor): Uint8Array }> {
  const path = join(temporaryFolder(), 'w.weights');
  const file = await WeightFile.create('w.weights', path);
  const result = await use(file).finally(() => file.close());
  const all = readFileSync(path);
  return { result, bytes: ({ offset, length }) => Uint8Array.from(all.subarray(offset, offset + length)) };
}

describe('LPBQ', () => {
  test.each([[4500, 1056], [6, 64]])('[%i, %i] in row chunks is one call of the kernel', async (rows, columns) => {
    const values = weights(rows, columns);
    const source = sourceOf(values, rows, columns);
    const { result, bytes } = await written((file) => quantizeLpbq(kernels, source, { blockSize: 32, factors: 0 }, file, zeroPointRange));
    if (result.kind !== 'lpbq') throw new TypeError('not LPBQ');
    expect(source.asked.length).toBe(rows > 1000 ? 2 : 1);
    const whole = kernels.quantizeLpbq(values, rows, columns, 32);
    expect(Buffer.compare(bytes(result.codes), whole.codes)).toBe(0);
    expect(Buffer.compare(bytes(result.blockScale), whole.blockScale)).toBe(0);
    expect(Buffer.compare(bytes(result.channelScale), bytesOf(whole.channelScale))).toBe(0);
    expect(result.codes).toMatchObject({ dtype: DataType.UINT4, dims: [rows, columns], length: (rows * columns) / 2 });
    expect(result.zeroPoint).toEqual({ kind: 'external', dtype: DataType.UINT4, dims: [rows, columns / 32], location: 'zero-points.weights', offset: 0, length: Math.ceil((rows * columns) / 64) });
    for (const tensor of [result.codes, result.blockScale, result.channelScale]) expect(tensor.offset % 64).toBe(0);
  });
});

test('int8 per channel in row chunks is one call of the kernel', async () => {
  const [rows, columns] = [4500, 1040];
  const values = weights(rows, columns);
  const { result, bytes } = await written((file) => quantizePerChannel8(kernels, sourceOf(values, rows, columns), file, zeroPointRange));
  if (result.kind !== 'per-channel') throw new TypeError('not per channel');
  const whole = kernels.quantizePerChannel(values, rows, columns, 8);
  expect(Buffer.compare(bytes(result.codes), bytesOf(whole.codes))).toBe(0);
  expect(Buffer.compare(bytes(result.scale), bytesOf(whole.scale))).toBe(0);
});

describe('float scales', () => {
  test.each([[4, 1056], [8, 32]] as const)('%i bits in ranges of %i columns: codes and scales of rows of that length, whatever the chunks', async (bits, block) => {
    const [rows, columns] = [4500, 1056];
    const values = weights(rows, columns);
    const { result, bytes } = await written((file) => quantizeFloatScales(kernels, sourceOf(values, rows, columns), { bits, block, factors: 0 }, file, zeroPointRange));
    if (result.kind !== 'per-channel' && result.kind !== 'per-block') throw new TypeError('not float scales');
    const ranges = kernels.quantizePerChannel(values, (rows * columns) / block, block, bits);
    expect(result).toMatchObject({ kind: block === columns ? 'per-channel' : 'per-block', codes: { dtype: bits === 4 ? DataType.UINT4 : DataType.INT8, dims: [rows, columns] }, scale: { dims: block === columns ? [rows] : [rows, columns / block] } });
    expect(Buffer.compare(bytes(result.scale), bytesOf(ranges.scale))).toBe(0);
    const stored = bytes(result.codes);
    const found = bits === 8 ? new Int8Array(stored.buffer) : Int8Array.from({ length: rows * columns }, (_, i) => (((stored[i >> 1] as number) >> (4 * (i % 2))) & 15) - 8);
    expect(Buffer.compare(bytesOf(found), bytesOf(ranges.codes))).toBe(0);
    expect(result.zeroPoint?.dims).toEqual(bits === 4 ? result.scale.dims : undefined);
  });

  test.each([
    [{ scheme: 'lpbq', bits: 4, blockSize: 32 }, 80, 'w has 80 input channels, which blocks of 32 do not divide', '16'],
    [{ scheme: 'per_block', bits: 8, blockSize: 64 }, 96, 'w has 96 input channels, which blocks of 64 do not divide', '16 or 32'],
    [{ scheme: 'per_channel', bits: 4 }, 81, 'w has 81 input channels, and two codes of 4 bits share a byte', '8 bits'],
  ] as const)('%o does not go with %i columns: the error names the weight, both numbers and what would', (scheme, columns, what, fix) => {
    expect(() => blockOf('w', scheme, columns)).toThrow(expect.objectContaining({ code: 'QUANTIZE_BLOCK_SIZE', what, fix: expect.stringContaining(fix) as string }));
  });
});

describe('per tensor', () => {
  test.each([8 as const, 16 as const])('uint%i in row chunks: the range of the whole tensor, and one call of the kernel', async (bits) => {
    const [rows, columns] = [4500, 1040];
    const values = weights(rows, columns);
    const source = sourceOf(values, rows, columns);
    const { result, bytes } = await written((file) => quantizePerTensor(kernels, source, bits, [rows, columns], file));
    // Two chunks, read once for the range and once for the codes.
    expect(source.asked).toHaveLength(4);
    expect(result.encoding).toEqual(asymmetricUnsigned(kernels.minMax(values), bits));
    expect(Buffer.compare(bytes(result.codes), bytesOf(kernels.quantizeOnGrid(values, result.encoding, bits)))).toBe(0);
  });

  test.each([8 as const, 16 as const])('uint%i codes equal ONNX Runtime\'s QuantizeLinear', async (bits) => {
    const columns = 4096;
    const values = weights(16, columns);
    // Exact halves of the step, where rounding decides.
    const encoding = (await written((file) => quantizePerTensor(kernels, sourceOf(values, 16, columns), bits, [16, columns], file))).result.encoding;
    for (let i = 0; i < 512; i++) values[i] = (i - 256 + 0.5) * encoding.scale;
    const { result, bytes } = await written((file) => quantizePerTensor(kernels, sourceOf(values, 16, columns), bits, [16, columns], file));
    const found = bytes(result.codes);
    const expected = bytesOf(await quantizeLinear(values, bits, result.encoding.scale, result.encoding.zeroPoint));
    expect(Buffer.compare(found, expected)).toBe(0);
  });
});

async function quantizeLinear(values: Float32Array, bits: 8 | 16, scale: number, zeroPoint: number): Promise<Uint8Array | Uint16Array> {
  const dtype = bits === 8 ? DataType.UINT8 : DataType.UINT16;
  const graph = new Graph('quantize');
  const x = graph.addInput('x', DataType.FLOAT, [values.length]);
  const inline = (name: string, type: DataType, data: Uint8Array): ReturnType<Graph['addInitializer']> => graph.addInitializer(name, { kind: 'inline', dtype: type, dims: [], data });
  const s = inline('s', DataType.FLOAT, bytesOf(Float32Array.of(scale)));
  const z = inline('z', dtype, bytesOf(bits === 8 ? Uint8Array.of(zeroPoint) : Uint16Array.of(zeroPoint)));
  const y = graph.addNode({ opType: 'QuantizeLinear', name: 'q', inputs: [x, s, z], outputs: ['y'] }).output();
  y.dtype = dtype;
  y.shape = [values.length];
  graph.outputs.push(y);
  const model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: 'test', metadata: new Map(), graph };
  const opened = await hostReference().open({ model, resolve: (location) => location, threads: 1 });
  try {
    return (await opened.run(new Map([['x', values]]))).get('y') as Uint8Array | Uint16Array;
  } finally {
    await opened.close();
  }
}

describe('weights that cannot be quantized', () => {
  const NAME = 'model.layers.1.self_attn.q_proj.weight';

  test.each(['nan', 'inf'])('%s: the error names the tensor, the count and the first index', async (kind) => {
    const folder = repositoryPath(`test/fixtures/bad/checkpoints/weights-${kind}`);
    const { model, resolve } = await adapt(folder, 4, 5);
    const root = model.graph.value('/model/layers.1/self_attn/q_proj/MatMul_output_0').producer?.input(1).producer?.input(0);
    const files = new TensorFiles(resolve);
    const source = weightSource(NAME, root as NonNullable<typeof root>, files, { kernels });
    // The chunk that is looked at holds it or not; the numbers are those of the whole tensor.
    expect(source.read(0, 2)).toHaveLength(2 * source.columns);
    expect(() => source.read(2, 4)).toThrow(expect.objectContaining({ code: 'QUANTIZE_NOT_FINITE', what: `${NAME} holds 1 value(s) that are NaN or infinite, the first at flat index 37` }));
    files.close();
  });

  test('a large tensor of nothing but NaN is reported at once', () => {
    const { source, close } = rawWeight(Float32Array.from({ length: 2 ** 20 }, () => NaN), 1024, 1024);
    const began = cpuMilliseconds();
    expect(() => source.read(0, 1024)).toThrow(/holds 1048576 value\(s\) that are NaN or infinite, the first at flat index 0/);
    expect(cpuMilliseconds() - began).toBeLessThan(2000);
    close();
  });

  test('a file that was cut after load is said to be cut', () => {
    const { source, close } = rawWeight(new Float32Array(8), 4, 4);
    expect(() => source.read(0, 4)).toThrow(expect.objectContaining({ code: 'QUANTIZE_WEIGHTS_CUT', evidence: { path: 'w.bin', offset: 32 } }));
    close();
  });

  test('one NaN below a rotation is one NaN, and values that only a rotation makes infinite are counted where they are', () => {
    for (const axis of [0, 1]) {
      const broken = rawWeight(Float32Array.from({ length: 64 }, (_, i) => (i === 13 ? NaN : i)), 8, 8, { axis, size: 8 });
      expect(() => broken.source.read(0, 8)).toThrow(/holds 1 value\(s\) that are NaN or infinite, the first at flat index 13/);
      broken.close();
    }
    const large = rawWeight(new Float32Array(64).fill(3e38), 8, 8, { axis: 1, size: 8 });
    expect(() => large.source.read(0, 8)).toThrow(/holds 8 value\(s\) that are NaN or infinite, the first at flat index 0/);
    large.close();
  });
});

test('parts of a parameter whose rows are rotated together are those of the whole, which is read once for all of them', () => {
  const { source, files, close } = rawWeight(Float32Array.from({ length: 96 }, (_, i) => Math.sin(i)), 12, 8, { axis: 0, size: 12 });
  const whole = source.read(0, 12);
  expect(files.bytesRead).toBe(4 * 96);
  for (const [from, to] of [[0, 5], [5, 6], [6, 12]] as const) expect(source.read(from, to)).toEqual(whole.slice(8 * from, 8 * to));
  expect(files.bytesRead).toBe(2 * 4 * 96);
  close();
});

test('rows in memory of a stack are those in new memory, whatever was there before', () => {
  const values = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i));
  for (const rotation of [undefined, { axis: 0, size: 4 }, { axis: 0, size: 12 }, { axis: 1, size: 8 }] as const) {
    const stack = new FloatStack();
    const [fresh, stacked] = [rawWeight(values, 12, 8, rotation), rawWeight(values, 12, 8, rotation, stack)];
    const seen: Float32Array[] = [];
    for (let round = 0; round < 3; round++) {
      for (const [from, to] of [[0, 12], [1, 3], [5, 12]] as const) {
        const expected = fresh.source.read(from, to);
        const rows = stacked.source.read(from, to);
        expect(rows).toEqual(expected);
        seen.push(rows);
        // A second read lies behind the first.
        expect(stacked.source.read(0, 1)).toEqual(fresh.source.read(0, 1));
        expect(rows).toEqual(expected);
        stack.release();
      }
    }
    expect(seen.at(-1)?.buffer).toBe(seen.at(-4)?.buffer);
    fresh.close();
    stacked.close();
  }
});

test('parts of a walk share memory, which is free again after it, also when it ends early', () => {
  const stack = new FloatStack();
  const { source, close } = rawWeight(Float32Array.from({ length: 2049 * 4096 }, (_, i) => i % 1000), 2049, 4096, undefined, stack);
  const walk = (): ArrayBufferLike[] => Array.from(rowParts(source), ({ from, to, values }) => {
    expect([values.length, values[0], values.at(-1)]).toEqual([(to - from) * 4096, (from * 4096) % 1000, (to * 4096 - 1) % 1000]);
    return values.buffer;
  });
  walk();
  const buffers = walk();
  expect(buffers).toHaveLength(3);
  expect(new Set(buffers).size).toBe(1);
  for (const { from } of rowParts(source)) if (from > 0) break;
  expect(stack.mark).toEqual(new FloatStack().mark);
  close();
});

test('what is written from the memory of a file is whole, however many writes follow each other', async () => {
  const lengths = [5, 4096, 1, 100_000, 70_000, 100_001];
  const { result, bytes } = await written(async (file) => {
    const tensors: ExternalTensor[] = [];
    for (const [i, length] of lengths.entries()) tensors.push(await file.append(DataType.UINT8, [length], file.room(length).fill(i + 1)));
    return tensors;
  });
  result.forEach((tensor, i) => expect(Buffer.compare(bytes(tensor), Buffer.alloc(lengths[i] as number, i + 1))).toBe(0));
});

test('a write that fails is thrown by the next call or by close', async () => {
  const file = await WeightFile.create('full.weights', join(temporaryFolder(), 'full.weights'));
  const [first, second] = [file.reserve(DataType.UINT8, [8]), file.reserve(DataType.UINT8, [8])];
  await file.writeAt(first.offset, new Uint8Array(8));
  await file.handle.close();
  await file.writeAt(second.offset, new Uint8Array(8));
  await expect(file.writeAt(second.offset, new Uint8Array(8))).rejects.toThrow('file closed');
  await expect(file.close()).rejects.toThrow('file closed');
});

/** A float32 initializer of the given shape over a file that holds `values`, rotated if a rotation is given. */
function rawWeight(values: Float32Array, rows: number, columns: number, rotation?: Rotation, stack?: FloatStack): { source: WeightSource; files: TensorFiles; close: () => void } {
  const path = join(temporaryFolder(), 'w.bin');
  writeFileSync(path, bytesOf(values));
  const graph = new Graph('w');
  const weight = graph.addInitializer('w', { kind: 'external', dtype: DataType.FLOAT, dims: [rows, columns], location: 'w.bin', offset: 0, length: rows * columns * 4 });
  const files = new TensorFiles(() => path);
  const root = rotation === undefined ? weight : addRotation(graph, weight, rotation, 'rotation');
  return { source: weightSource('w', root, files, { kernels, ...(stack === undefined ? {} : { stack }) }), files, close: () => files.close() };
}

test('row chunks cover every row once, in order, within 16 MiB or one row', () => {
  for (const [rows, columns] of [[1, 1], [128256, 2048], [3, 5_000_000], [4096, 1024], [4097, 1024]] as const) {
    const chunks = rowChunks(rows, columns);
    expect(chunks[0]?.from).toBe(0);
    expect(chunks.at(-1)?.to).toBe(rows);
    chunks.forEach(({ from, to }, i) => {
      expect(from).toBe(i === 0 ? 0 : chunks[i - 1]?.to);
      expect(to - from === 1 || (to - from) * columns <= 4 * 1024 * 1024).toBe(true);
    });
  }
});
