/** Models survive the way through bytes, equal models have equal bytes, and damaged bytes never load as something else. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import fc from 'fast-check';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { type Attribute, DataType as T, Graph, type Model, bitsOf, byteLength, cloneModel, decodeModel, encodeModel, externalLocations, floatTensor, inlineTensor, rewriteLocations } from '../src/index.js';
import { denseModel, modelOf } from './models.js';
import { runOrt } from './onnx-runtime.js';

const folder = mkdtempSync(join(tmpdir(), 'tundish-graph-'));
afterAll(() => rmSync(folder, { recursive: true }));

function externalModel(location: string, offset = 4): Model {
  const graph = new Graph('external');
  const x = graph.addInput('x', T.FLOAT, [2, 4]);
  const w = graph.addInitializer('w', { kind: 'external', dtype: T.FLOAT, dims: [4, 4], location, offset, length: 64 });
  graph.outputs.push(graph.addNode({ opType: 'MatMul', inputs: [x, w], outputs: ['y'] }).output());
  return modelOf(graph);
}

describe('bytes', () => {
  test('decode then encode gives the same bytes', () => {
    for (const model of [denseModel(), externalModel('block-3.weights')]) {
      const once = encodeModel(decodeModel(encodeModel(model)));
      expect(encodeModel(decodeModel(once))).toEqual(once);
    }
  });

  test('equal construction gives equal bytes, whatever the order of maps', () => {
    const a = { ...denseModel(), metadata: new Map([['b', '2'], ['a', '1']]) };
    const b = { ...cloneModel(denseModel()), metadata: new Map([['a', '1'], ['b', '2']]) };
    expect(encodeModel(a)).toEqual(encodeModel(b));
  });

  test('header, names, types and shapes come back', () => {
    const source = { ...denseModel(), metadata: new Map([['cell', 'ar1_cl512_1_of_2']]) };
    const model = decodeModel(encodeModel(source));
    expect({ ...model, graph: undefined }).toEqual({ ...source, graph: undefined });
    expect(model.graph.nodes.map((node) => [node.name, node.opType, node.outputs.map((o) => o.name)])).toEqual([
      ['/mm', 'MatMul', ['/mm_output_0']],
      ['/add', 'Add', ['/add_output_0']],
      ['/act', 'Sigmoid', ['y']],
    ]);
    expect(model.graph.value('/mm_output_0')).toMatchObject({ dtype: T.FLOAT, shape: [2, 4] });
  });

  test('attributes of every type come back, zero included', () => {
    const attributes: Record<string, Attribute> = {
      axis: { type: 'int', value: 0 },
      alpha: { type: 'float', value: 0 },
      mode: { type: 'string', value: 'größe' },
      perm: { type: 'ints', value: [1, 0] },
      weights: { type: 'floats', value: [0.5, -0] },
      names: { type: 'strings', value: ['', 'b'] },
      value: { type: 'tensor', value: floatTensor([1, 2]) },
      __proto__x: { type: 'int', value: -1 },
    };
    const graph = new Graph('attributes');
    const x = graph.addInput('x', T.FLOAT, [2, 'n']);
    graph.outputs.push(graph.addNode({ opType: 'Identity', inputs: [x], attributes }).output());
    const [node] = decodeModel(encodeModel(modelOf(graph))).graph.nodes;
    expect(Object.fromEntries(node?.attributes ?? [])).toEqual(attributes);
    expect(node?.output().shape).toEqual([2, 'n']);
  });

  test('every element type comes back as the same bytes', () => {
    for (const dtype of Object.values(T)) {
      const graph = new Graph('types');
      const dims = [3, 5];
      const data = Uint8Array.from({ length: byteLength(dtype, dims) }, (_, i) => (i * 37) & (bitsOf(dtype) === 8 ? 1 : 255));
      graph.outputs.push(graph.addInitializer('w', inlineTensor(dtype, dims, data)));
      expect(decodeModel(encodeModel(modelOf(graph))).graph.value('w').tensor).toEqual({ kind: 'inline', dtype, dims, data });
    }
  });

  test('ONNX Runtime computes what the graph says', async () => {
    const x = new OrtTensor('float32', Float32Array.from([1, 0, 0, 0, 0, 0, 0, 1]), [2, 4]);
    const { y } = await runOrt(denseModel(), { x });
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const sums = [-1 + 1, -0.875 - 1, -0.75 + 0.5, -0.625, 0.5 + 1, 0.625 - 1, 0.75 + 0.5, 0.875];
    (y?.data as Float32Array).forEach((value, i) => expect(value).toBeCloseTo(sigmoid(sums[i] as number), 6));
  });
});

describe('damage', () => {
  const bytes = encodeModel(denseModel());

  test('no prefix of a model loads', () => {
    for (let length = 0; length < bytes.length; length++) expect(() => decodeModel(bytes.subarray(0, length))).toThrow(TundishError);
  });

  test('changed bytes load or are refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (edits) => {
        const damaged = bytes.slice();
        for (const [at, value] of edits) damaged[at] = value;
        try {
          encodeModel(decodeModel(damaged));
        } catch (error) {
          expect(error).toBeInstanceOf(TundishError);
        }
      }),
      { numRuns: 600, seed: 7 },
    );
  });
});

describe('external data', () => {
  test('locations are listed and renamed without touching offsets', () => {
    const model = externalModel('model.safetensors');
    expect(externalLocations(model)).toEqual(['model.safetensors']);
    rewriteLocations(model, new Map([['model.safetensors', 'part1.data'], ['other', 'x']]));
    expect(model.graph.value('w').tensor).toMatchObject({ location: 'part1.data', offset: 4, length: 64 });
  });

  test('a range is held against the file', () => {
    writeFileSync(join(folder, 'w.data'), new Uint8Array(68));
    expect(() => decodeModel(encodeModel(externalModel('w.data')), { checkExternal: folder })).not.toThrow();
    expect(() => decodeModel(encodeModel(externalModel('w.data', 5)), { checkExternal: folder })).toThrow(/bytes 5\.\.69 of w\.data, which has 68/);
  });

  test('a link that leaves the folder is refused', () => {
    symlinkSync(new URL('../package.json', import.meta.url).pathname, join(folder, 'link.data'));
    expect(readFileSync(join(folder, 'link.data')).length).toBeGreaterThan(68);
    expect(() => decodeModel(encodeModel(externalModel('link.data')), { checkExternal: folder })).toThrow(/through a link/);
  });

  test.each(['../w', 'a/../../w', '/w', 'C:\\w', '\\\\host\\w', 'a\\..\\..\\w'])('location %s is never written', (location) => {
    expect(() => encodeModel(externalModel(location))).toThrow(/leaves the folder/);
  });
});
