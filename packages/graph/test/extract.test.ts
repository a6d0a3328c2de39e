/** Clones and extracts: independent of the source, complete, and equal in function. */
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { cloneModel, encodeModel, extractGraph, inferShapes } from '../src/index.js';
import { denseModel } from './models.js';
import { runOrt } from './onnx-runtime.js';

function inferred() {
  const model = denseModel();
  inferShapes(model);
  return model;
}

describe('cloneModel', () => {
  test('equal bytes, and changes stay apart', () => {
    const source = inferred();
    const before = encodeModel(source);
    const copy = cloneModel(source);
    expect(encodeModel(copy)).toEqual(before);
    copy.graph.value('y').shape = undefined;
    copy.graph.value('/add_output_0').replaceAllUsesWith(copy.graph.value('/mm_output_0'));
    copy.graph.prune();
    expect(encodeModel(source)).toEqual(before);
    expect(encodeModel(copy)).not.toEqual(before);
  });
});

describe('extractGraph', () => {
  test('two halves compute what the whole does', async () => {
    const model = inferred();
    const x = new OrtTensor('float32', Float32Array.from({ length: 8 }, (_, i) => i - 3), [2, 4]);
    const first = extractGraph(model, ['x'], ['/mm_output_0']);
    const second = extractGraph(model, ['x', '/mm_output_0'], ['y']);
    const middle = await runOrt(first, { x });
    const end = await runOrt(second, { '/mm_output_0': middle['/mm_output_0'] as OrtTensor });
    expect(end['y']?.data).toEqual((await runOrt(model, { x }))['y']?.data);
  });

  test('takes only what the outputs need, under the same names', () => {
    const part = extractGraph(inferred(), ['x', '/mm_output_0'], ['/add_output_0']).graph;
    expect(part.inputs.map((v) => [v.name, v.shape])).toEqual([['/mm_output_0', [2, 4]]]);
    expect(part.initializers.map((v) => v.name)).toEqual(['b']);
    expect(part.nodes.map((n) => n.name)).toEqual(['/add']);
  });

  test('an output may be cut too', () => {
    const part = extractGraph(inferred(), ['x'], ['y', '/mm_output_0']).graph;
    expect(part.outputs.map((v) => v.name)).toEqual(['y', '/mm_output_0']);
  });

  test('refuses what it cannot compute', () => {
    expect(() => extractGraph(inferred(), [], ['y'])).toThrow(/GRAPH_EXTRACT: x is needed to compute y/);
    expect(() => extractGraph(inferred(), ['x'], ['z'])).toThrow(/no value z/);
    expect(() => extractGraph(denseModel(), ['/mm_output_0'], ['y'])).toThrow(/the type of \/mm_output_0 is not known/);
  });
});
