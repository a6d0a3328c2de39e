/** The reference opens models over weights in any folder and of any float type, and says what is wrong with the others. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DataType, type Model, bytesOf, encodeFloat16, encodeModel, inlineTensor } from '@tundish/graph';
import { gatherStoredRows } from '../src/gather-stored-rows.js';
import { hostReference } from '../src/index.js';
import { modelOf, seeded, temporaryFolder } from './small-graph.js';

const [ROWS, COLUMNS] = [16, 24];
const random = seeded(5);
/** Values that bfloat16 holds exactly. */
const A = Float32Array.from({ length: ROWS * COLUMNS }, () => Math.floor(random() * 128 - 64) / 64);
const B = Float32Array.from({ length: ROWS }, () => random());

/** x · A^T + B, A in bfloat16 56 bytes into its file, B in another folder. */
function model(): Model {
  return modelOf((graph) => {
    const x = graph.addInput('x', DataType.FLOAT, [2, COLUMNS]);
    const a = graph.addInitializer('a', { kind: 'external', dtype: DataType.BFLOAT16, dims: [ROWS, COLUMNS], location: 'model.safetensors', offset: 56, length: 2 * ROWS * COLUMNS });
    const b = graph.addInitializer('b', { kind: 'external', dtype: DataType.FLOAT, dims: [ROWS], location: 'norms', offset: 0, length: 4 * ROWS });
    const widened = graph.addNode({ opType: 'Cast', inputs: [a], attributes: { to: { type: 'int', value: DataType.FLOAT } } }).output();
    const turned = graph.addNode({ opType: 'Transpose', inputs: [widened], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
    const product = graph.addNode({ opType: 'MatMul', inputs: [x, turned], outputs: ['product'] }).output();
    graph.outputs.push(graph.addNode({ opType: 'Add', inputs: [product, b], outputs: ['y'] }).output(), product);
  });
}

function weightFiles(): (location: string) => string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'blobs/aa'), { recursive: true });
  mkdirSync(join(folder, 'snapshot'));
  writeFileSync(join(folder, 'blobs/aa/1234'), Buffer.concat([Buffer.alloc(56), bytesOf(Uint16Array.from(new Uint32Array(A.buffer), (bits) => bits >>> 16))]));
  // A hub cache links snapshots to blobs.
  symlinkSync('../blobs/aa/1234', join(folder, 'snapshot/model.safetensors'));
  writeFileSync(join(folder, 'norms.bin'), bytesOf(B));
  return (location) => (location === 'norms' ? join(folder, 'norms.bin') : join(folder, 'snapshot', location));
}

it('maps weights through links and over several folders, and widens bfloat16 exactly', async () => {
  const opened = await hostReference().open({ model: model(), resolve: weightFiles(), threads: 2 });
  const x = Float32Array.from({ length: 2 * COLUMNS }, () => Math.floor(random() * 64) / 64);
  const result = await opened.run(new Map([['x', x]]));
  expect([...(await opened.run(new Map([['x', x]]), ['product'])).keys()]).toEqual(['product']);
  await opened.close();
  // Sums of products of small dyadic numbers are exact in float32.
  const product = Float32Array.from({ length: 2 * ROWS }, (_, i) => {
    const [row, column] = [Math.floor(i / ROWS), i % ROWS];
    return x.subarray(row * COLUMNS, (row + 1) * COLUMNS).reduce((sum, value, k) => sum + value * (A[column * COLUMNS + k] as number), 0);
  });
  expect(result.get('product')).toEqual(product);
  expect(result.get('y')).toEqual(product.map((value, i) => value + (B[i % ROWS] as number)));
});

it.each([['bfloat16', DataType.BFLOAT16, (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0] as number >>> 16], ['float16', DataType.FLOAT16, encodeFloat16]])('looks rows up in a table of %s, which is also read as a whole', async (_, dtype, encode) => {
  const table = modelOf((graph) => {
    const ids = graph.addInput('ids', DataType.INT32, [3]);
    const stored = graph.addInitializer('table', inlineTensor(dtype, [ROWS, COLUMNS], bytesOf(Uint16Array.from(A, encode))));
    const widened = graph.addNode({ opType: 'Cast', name: 'widened', inputs: [stored], attributes: { to: { type: 'int', value: DataType.FLOAT } } }).output();
    const rows = graph.addNode({ opType: 'Gather', name: 'rows', inputs: [widened, ids], outputs: ['rows_of'], attributes: { axis: { type: 'int', value: 0 } } }).output();
    const columns = graph.addNode({ opType: 'Gather', name: 'columns', inputs: [widened, ids], outputs: ['columns_of'], attributes: { axis: { type: 'int', value: 1 } } }).output();
    const turned = graph.addNode({ opType: 'Transpose', inputs: [widened], outputs: ['turned'], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
    [rows.shape, columns.shape, turned.shape] = [[3, COLUMNS], [ROWS, 3], [COLUMNS, ROWS]];
    for (const value of [rows, columns, turned]) value.dtype = DataType.FLOAT;
    graph.outputs.push(rows, columns, turned);
  });
  const before = encodeModel(table);
  expect(encodeModel(gatherStoredRows(table))).not.toEqual(before);
  const opened = await hostReference().open({ model: table, resolve: (location) => location, threads: 1 });
  const picked = [5, 0, 15];
  const result = await opened.run(new Map([['ids', Int32Array.from(picked)]]));
  await opened.close();
  expect(result.get('rows_of')).toEqual(Float32Array.from({ length: 3 * COLUMNS }, (_each, i) => A[(picked[Math.floor(i / COLUMNS)] as number) * COLUMNS + (i % COLUMNS)] as number));
  expect(result.get('columns_of')).toEqual(Float32Array.from({ length: 3 * ROWS }, (_each, i) => A[Math.floor(i / 3) * COLUMNS + (picked[i % 3] as number)] as number));
  expect(result.get('turned')).toEqual(Float32Array.from({ length: A.length }, (_each, i) => A[(i % ROWS) * COLUMNS + Math.floor(i / ROWS)] as number));
  expect(encodeModel(table)).toEqual(before);
});

it('leaves a model without such tables as it is', () => {
  const plain = model();
  expect(gatherStoredRows(plain)).toBe(plain);
});

it('names weights that are not there', async () => {
  const resolve = weightFiles();
  const gone = hostReference().open({ model: model(), resolve: (location) => (location === 'norms' ? '/nowhere/norms' : resolve(location)), threads: 1 });
  await expect(gone).rejects.toThrow(/HOST_FILE_MISSING: the weights of norms are not there[\s\S]*\/nowhere\/norms/);
});

it('refuses inputs and outputs of types that do not cross the port', async () => {
  const typed = modelOf((graph) => {
    const x = graph.addInput('x', DataType.INT64, [2]);
    graph.outputs.push(graph.addNode({ opType: 'Identity', inputs: [x], outputs: ['y'] }).output());
  });
  await expect(hostReference().open({ model: typed, resolve: (location) => location, threads: 1 })).rejects.toThrow(/HOST_GRAPH_TYPE: x .*INT64/);
});

it('serialises calls, and fails those that come after close', async () => {
  const opened = await hostReference().open({ model: model(), resolve: weightFiles(), threads: 1 });
  const inputs = Array.from({ length: 8 }, (_, i) => new Map([['x', new Float32Array(2 * COLUMNS).fill(i)]]));
  const results = await Promise.all(inputs.map((input) => opened.run(input, ['product'])));
  const first = (results[1]?.get('product') as Float32Array)[0] as number;
  expect(Math.abs(first)).toBeGreaterThan(0.1);
  results.forEach((result, i) => expect((result.get('product') as Float32Array)[0]).toBeCloseTo(i * first, 5));
  await opened.close();
  await expect(opened.run(inputs[0] as Map<string, Float32Array>)).rejects.toThrow(/HOST_CLOSED/);
});
