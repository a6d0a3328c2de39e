/** Linear layers are recognised in every form that Tundish writes, and nothing else is. */
import { describe, expect, test } from 'vitest';
import { type Attribute, DataType as T, Graph, type Node, type Value, floatTensor, inferShapes, inlineTensor, matchProjection } from '../src/index.js';
import { modelOf } from './models.js';

const PERM: Record<string, Attribute> = { perm: { type: 'ints', value: [1, 0] } };
const TO_FLOAT: Record<string, Attribute> = { to: { type: 'int', value: T.FLOAT } };

interface Layer {
  readonly graph: Graph;
  readonly x: Value;
  readonly matmul: Node;
}

/** x [1,2,4] times the transpose of what `weight` makes, [3,4]. */
function layer(weight: (graph: Graph) => Value): Layer {
  const graph = new Graph('layer');
  const x = graph.addInput('x', T.FLOAT, [1, 2, 4]);
  const transposed = graph.addNode({ opType: 'Transpose', inputs: [weight(graph)], attributes: PERM }).output();
  const matmul = graph.addNode({ opType: 'MatMul', name: '/q_proj/MatMul', inputs: [x, transposed] });
  inferShapes(modelOf(graph));
  return { graph, x, matmul };
}

const float = (graph: Graph): Value => graph.addInitializer('w', floatTensor(new Float32Array(12), [3, 4]));
const half = (graph: Graph): Value => graph.addInitializer('w', inlineTensor(T.BFLOAT16, [3, 4], new Uint8Array(24)));
const widened = (graph: Graph): Value => graph.addNode({ opType: 'Cast', inputs: [half(graph)], attributes: TO_FLOAT }).output();
const gained = (graph: Graph): Value => graph.addNode({ opType: 'Mul', inputs: [graph.addInitializer('g', floatTensor([1, 1, 1, 1])), widened(graph)] }).output();

/** The LPBQ expression of the quantize stage. */
function lpbq(graph: Graph): Value {
  const codes = graph.addInitializer('w', inlineTensor(T.UINT4, [3, 4], new Uint8Array(6)));
  const blocks = graph.addInitializer('w.block_scale', inlineTensor(T.UINT8, [3, 2], new Uint8Array(6)));
  const channel = graph.addInitializer('w.channel_scale', floatTensor([1, 1, 1], [3, 1]));
  const zero = graph.addInitializer('w.zero_point', inlineTensor(T.UINT4, [3, 2], new Uint8Array(3)));
  const wide = graph.addNode({ opType: 'Cast', inputs: [blocks], attributes: TO_FLOAT }).output();
  const scale = graph.addNode({ opType: 'Mul', inputs: [wide, channel] }).output();
  const attributes: Record<string, Attribute> = { axis: { type: 'int', value: 1 }, block_size: { type: 'int', value: 2 } };
  return graph.addNode({ opType: 'DequantizeLinear', inputs: [codes, scale, zero], attributes }).output();
}

describe('matchProjection', () => {
  test.each([
    ['float32', float, []],
    ['bfloat16', widened, ['Cast']],
    ['folded gain', gained, ['Cast', 'Mul']],
    ['lpbq', lpbq, ['DequantizeLinear']],
  ] as const)('%s', (_, weight, steps) => {
    const { x, matmul } = layer(weight);
    const found = matchProjection(matmul);
    expect(found?.weight.name).toBe('w');
    expect(found?.parameter).toBe(found?.transpose.input(0));
    expect(found?.steps.map(({ opType }) => opType)).toEqual(steps);
    expect(found?.input).toBe(x);
    expect(found?.output).toBe(matmul.output());
    expect(found).not.toHaveProperty('bias');
  });

  test('a bias behind the product', () => {
    const { graph, matmul } = layer(widened);
    const b = graph.addInitializer('b', floatTensor([1, 2, 3]));
    const add = graph.addNode({ opType: 'Add', inputs: [b, matmul.output()] });
    expect(matchProjection(matmul)).toMatchObject({ bias: { add, parameter: b }, output: add.output() });
  });

  test('a residual sum, or a product that others read, is no bias', () => {
    const { graph, matmul } = layer(float);
    const residual = graph.addInput('r', T.FLOAT, [1, 2, 3]);
    const add = graph.addNode({ opType: 'Add', inputs: [matmul.output(), residual] });
    expect(matchProjection(matmul)).not.toHaveProperty('bias');
    add.replaceInput(1, graph.addInitializer('b', floatTensor([1, 2, 3])));
    expect(matchProjection(matmul)).toHaveProperty('bias');
    graph.outputs.push(matmul.output());
    expect(matchProjection(matmul)).not.toHaveProperty('bias');
  });

  test('a product of two activations is none', () => {
    const { graph, x, matmul } = layer(float);
    const other = graph.addInput('k', T.FLOAT, [4, 2]);
    const turned = graph.addNode({ opType: 'Transpose', inputs: [graph.addInput('v', T.FLOAT, [3, 4])], attributes: PERM }).output();
    expect(matchProjection(graph.addNode({ opType: 'MatMul', inputs: [x, other] }))).toBeUndefined();
    expect(matchProjection(graph.addNode({ opType: 'MatMul', inputs: [x, turned] }))).toBeUndefined();
    expect(matchProjection(matmul.input(1).producer as Node)).toBeUndefined();
  });
});
