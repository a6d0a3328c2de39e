/** The structure of ONNX files, read without their weights. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TundishError } from '@tundish/diagnostics';
import { afterAll, describe, expect, it } from 'vitest';
import { DataType, Graph, encodeModel, floatTensor } from '../src/index.js';
import { summarizeOnnx } from '../src/summary/summarize-onnx.js';

const BAD = fileURLToPath(new URL('../../../test/fixtures/bad/onnx/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tundish-summary-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function model(): Uint8Array {
  const graph = new Graph('two layers');
  const x = graph.addInput('x', DataType.FLOAT, ['batch', 4]);
  const w = graph.addInitializer('w', { kind: 'external', dtype: DataType.FLOAT, dims: [4, 4], location: 'model.safetensors', offset: 128, length: 64 });
  const v = graph.addInitializer('v', { kind: 'external', dtype: DataType.FLOAT, dims: [4, 4], location: 'model.safetensors', offset: 1000, length: 64 });
  const b = graph.addInitializer('b', floatTensor([1, 2, 3, 4]));
  const first = graph.addNode({ opType: 'MatMul', name: 'first', inputs: [x, w], outputs: ['h'] }).output();
  const second = graph.addNode({ opType: 'MatMul', name: 'second', inputs: [first, v], outputs: ['g'] }).output();
  const last = graph.addNode({ opType: 'QuickGelu', domain: 'com.microsoft', name: 'gelu', inputs: [graph.addNode({ opType: 'Add', name: 'add', inputs: [second, b], outputs: ['s'] }).output()], outputs: ['y'] }).output();
  Object.assign(last, { dtype: DataType.FLOAT, shape: ['batch', 4] });
  graph.outputs.push(last);
  return encodeModel({ irVersion: 10, opsetImports: new Map([['', 21], ['com.microsoft', 1]]), producerName: 'test', metadata: new Map(), graph });
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('the summary of an ONNX file', () => {
  it('names inputs, outputs, operations and the ranges of external data', () => {
    expect(summarizeOnnx(written('model.onnx', model()))).toEqual({
      irVersion: 10, opsets: { 'ai.onnx': 21, 'com.microsoft': 1 }, producer: 'test', graph: 'two layers',
      nodes: 4, operations: { MatMul: 2, Add: 1, 'com.microsoft.QuickGelu': 1 },
      inputs: [{ name: 'x', dtype: 'FLOAT', shape: ['batch', 4] }],
      outputs: [{ name: 'y', dtype: 'FLOAT', shape: ['batch', 4] }],
      initializers: 3, inlineBytes: 16,
      external: [{ location: 'model.safetensors', tensors: 2, from: 128, to: 1064, bytes: 128 }],
      epContexts: [],
    });
  });

  it('jumps over weights: a file of 3 GiB is no more work than its structure', () => {
    const path = join(folder, 'large.onnx');
    const descriptor = openSync(path, 'w');
    const weight = 3 * 2 ** 30;
    const name = field(8, Buffer.from('w'));
    const initializer = [name, tagged(9, 2), varint(weight)];
    const graph = Buffer.concat([field(2, Buffer.from('g')), tagged(5, 2), varint(size(initializer) + weight), ...initializer]);
    const head = Buffer.concat([tagged(1, 0), varint(10), tagged(7, 2), varint(graph.length + weight), graph]);
    writeSync(descriptor, head);
    ftruncateSync(descriptor, head.length + weight);
    closeSync(descriptor);
    expect(summarizeOnnx(path)).toMatchObject({ graph: 'g', initializers: 1, inlineBytes: weight });
  });

  it.each(['truncated', 'truncated-half', 'varint-overlong', 'length-2gb', 'random', 'empty', 'no-graph'])('refuses %s with a code and the path', (name) => {
    const path = `${BAD}${name}.onnx`;
    expect(() => summarizeOnnx(path)).toThrow(TundishError);
    expect(() => summarizeOnnx(path)).toThrow(new RegExp(`^ONNX_(MALFORMED|INVALID): [^]*${name}\\.onnx`));
  });

  it('never throws anything but a code, wherever a file is cut', () => {
    const bytes = model();
    for (let length = 0; length < bytes.length; length += 7) {
      const path = written('cut.onnx', bytes.subarray(0, length));
      try {
        summarizeOnnx(path);
      } catch (error) {
        expect(error).toBeInstanceOf(TundishError);
      }
    }
    expect(readFileSync(join(folder, 'cut.onnx')).length).toBeGreaterThan(0);
  });
});

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
};
const tagged = (number: number, wire: number): Buffer => varint(number * 8 + wire);
const field = (number: number, bytes: Buffer): Buffer => Buffer.concat([tagged(number, 2), varint(bytes.length), bytes]);
const size = (pieces: readonly Buffer[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0);
