/** Parameter expressions evaluate to the bits that ONNX Runtime computes for them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Attribute, DataType as T, Graph, type Tensor, type Value, bytesOf, evaluateParameter, floatTensor, inferShapes, inlineTensor, int64Tensor } from '../src/index.js';
import { modelOf } from './models.js';
import { runOrt } from './onnx-runtime.js';

const TO_FLOAT: Record<string, Attribute> = { to: { type: 'int', value: T.FLOAT } };

const read = (tensor: Tensor): Uint8Array => {
  if (tensor.kind === 'external') throw new Error('inline tensors only');
  return tensor.data;
};

/** 16-bit patterns that run through signs, exponents and subnormals. */
function patterns(dtype: T, dims: readonly [number, number], from = 0, step = 2749): Tensor {
  return inlineTensor(dtype, dims, bytesOf(Uint16Array.from({ length: dims[0] * dims[1] }, (_, i) => (from + i * step) & 0x7bff)));
}

async function ortBits(graph: Graph, root: Value): Promise<Uint32Array> {
  graph.outputs.push(root);
  const model = modelOf(graph);
  inferShapes(model);
  const data = (await runOrt(model))[root.name]?.data as Float32Array;
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}

const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Cast(W) * gain, as optimize leaves a folded norm. */
function folded(dtype: T, rows = 6, columns = 10): { graph: Graph; root: Value } {
  const graph = new Graph('folded');
  const w = graph.addInitializer('w', patterns(dtype, [rows, columns]));
  const wide = graph.addNode({ opType: 'Cast', inputs: [w], attributes: TO_FLOAT }).output();
  const gain = graph.addInitializer('gain', floatTensor(Array.from({ length: columns }, (_, i) => 1 + i / 7)));
  const root = graph.addNode({ opType: 'Mul', inputs: [wide, gain] }).output();
  inferShapes(modelOf(graph));
  return { graph, root };
}

describe('widening', () => {
  test.each([['FLOAT16', T.FLOAT16], ['BFLOAT16', T.BFLOAT16]] as const)('all %s values', async (_, dtype) => {
    const graph = new Graph('all');
    const w = graph.addInitializer('w', inlineTensor(dtype, [65_536], bytesOf(Uint16Array.from({ length: 65_536 }, (_, i) => i))));
    const root = graph.addNode({ opType: 'Cast', inputs: [w], attributes: TO_FLOAT }).output();
    const ours = evaluateParameter(root, read);
    const theirs = await ortBits(graph, root);
    const nan = (v: number): boolean => (v & 0x7fffffff) > 0x7f800000;
    // ONNX Runtime quietens signalling NaNs; both sides must agree on which values are NaN and on all other bits.
    bits(ours).forEach((v, i) => {
      if (nan(v) || nan(theirs[i] as number)) expect(nan(theirs[i] as number)).toBe(nan(v));
      else if (v !== theirs[i]) expect.fail(`pattern ${i}: ${v} and ${theirs[i]}`);
    });
  });
});

describe('expressions', () => {
  test.each([['FLOAT16', T.FLOAT16], ['BFLOAT16', T.BFLOAT16]] as const)('cast and gain from %s', async (_, dtype) => {
    const { graph, root } = folded(dtype);
    expect(bits(evaluateParameter(root, read))).toEqual(await ortBits(graph, root));
  });

  test('column factors, scalars, reshapes and transposes', async () => {
    const graph = new Graph('steps');
    const w = graph.addInitializer('w', patterns(T.FLOAT16, [4, 6]));
    const wide = graph.addNode({ opType: 'Cast', inputs: [w], attributes: TO_FLOAT }).output();
    const channel = graph.addNode({ opType: 'Unsqueeze', inputs: [graph.addInitializer('c', floatTensor([1, 2, 3, 0.1])), graph.addInitializer('axes', int64Tensor([1]))] }).output();
    const scaled = graph.addNode({ opType: 'Mul', inputs: [channel, wide] }).output();
    const half = graph.addNode({ opType: 'Mul', inputs: [scaled, graph.addInitializer('s', floatTensor([0.3], []))] }).output();
    const view = graph.addNode({ opType: 'Reshape', inputs: [half, graph.addInitializer('shape', int64Tensor([4, 2, 3]))] }).output();
    const root = graph.addNode({ opType: 'Transpose', inputs: [view], attributes: { perm: { type: 'ints', value: [2, 0, 1] } } }).output();
    inferShapes(modelOf(graph));
    expect(bits(evaluateParameter(root, read))).toEqual(await ortBits(graph, root));
  });

  test('any rows are those rows of the whole', () => {
    fc.assert(
      fc.property(fc.nat(6), fc.nat(6), (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const { root } = folded(T.BFLOAT16);
        expect(evaluateParameter(root, read, { from, to })).toEqual(evaluateParameter(root, read).slice(10 * from, 10 * to));
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  test('rows ask for no other bytes', () => {
    const { root } = folded(T.BFLOAT16);
    const asked: number[] = [];
    evaluateParameter(root, (tensor) => (asked.push(read(tensor).byteLength), read(tensor)), { from: 2, to: 4 });
    expect(asked).toEqual([2 * 10 * 2, 10 * 4]);
  });

  test('the result does not alias the file', () => {
    const graph = new Graph('plain');
    const tensor = floatTensor([1, 2]);
    evaluateParameter(graph.addInitializer('w', tensor), read).fill(9);
    expect(tensor.data).toEqual(floatTensor([1, 2]).data);
  });
});

describe('refusals', () => {
  test('an activation', () => {
    const graph = new Graph('input');
    expect(() => evaluateParameter(graph.addInput('x', T.FLOAT, [1]), read)).toThrow(/x is an input of the graph/);
  });

  test('an operator outside of the form', () => {
    const graph = new Graph('op');
    const root = graph.addNode({ opType: 'Add', name: 'sum', inputs: [graph.addInitializer('w', floatTensor([1])), graph.addInitializer('b', floatTensor([1]))] }).output();
    expect(() => evaluateParameter(root, read)).toThrow(/Add sum is not part of a parameter expression/);
  });

  test('rows through a transpose', () => {
    const graph = new Graph('rows');
    const root = graph.addNode({ opType: 'Transpose', inputs: [graph.addInitializer('w', floatTensor([1, 2], [1, 2]))] }).output();
    expect(() => evaluateParameter(root, read, { from: 0, to: 1 })).toThrow(/cannot be read alone: Transpose moves them/);
  });
});
