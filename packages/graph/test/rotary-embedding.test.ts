/** Rotary embeddings are recognised as Tundish writes them, and nothing else is: what somebody else reads is not swallowed. */
import { describe, expect, test } from 'vitest';
import { type Attribute, DataType as T, Graph, type Node, type Value, inferShapes, matchRotaryEmbedding } from '../src/index.js';
import { modelOf } from './models.js';

const axis = (value: number): Record<string, Attribute> => ({ axis: { type: 'int', value } });

interface Form {
  readonly table?: readonly number[];
  readonly joined?: number;
  readonly difference?: string;
  /** The sum with its products the other way round. */
  readonly isTurned?: boolean;
  /** The second sine is another value. */
  readonly hasOtherSine?: boolean;
}

const NAMES = ['x1', 'x2', 'c1', 's2', 's1', 'c2', 'difference', 'sum'] as const;

/** x [2, 3, 5, 8] turned by tables [1, 1, 5, 4]. */
function rotation({ table = [1, 1, 5, 4], joined = 3, difference = 'Sub', isTurned = false, hasOtherSine = false }: Form = {}): { readonly graph: Graph; readonly concat: Node } {
  const graph = new Graph('rotation');
  const [x, cos, sin, other] = [graph.addInput('x', T.FLOAT, [2, 3, 5, 8]), ...['cos', 'sin', 'other'].map((name) => graph.addInput(name, T.FLOAT, table))] as [Value, Value, Value, Value];
  const emit = (opType: string, name: string, inputs: readonly Value[]): Value => graph.addNode({ opType, inputs, outputs: [name] }).output();
  const [x1, x2] = graph.addNode({ opType: 'Split', inputs: [x], outputs: ['x1', 'x2'], attributes: { ...axis(-1), num_outputs: { type: 'int', value: 2 } } }).outputs as [Value, Value];
  const [c1, s2, s1, c2] = [emit('Mul', 'c1', [x1, cos]), emit('Mul', 's2', [x2, sin]), emit('Mul', 's1', [x1, hasOtherSine ? other : sin]), emit('Mul', 'c2', [x2, cos])];
  const halves = [emit(difference, 'difference', [c1, s2]), emit('Add', 'sum', isTurned ? [c2, s1] : [s1, c2])];
  const concat = graph.addNode({ opType: 'Concat', inputs: halves, outputs: ['y'], attributes: axis(joined) });
  graph.outputs.push(concat.output());
  inferShapes(modelOf(graph));
  return { graph, concat };
}

describe('matchRotaryEmbedding', () => {
  test('the form of the architectures, also where others read what goes in', () => {
    const { graph, concat } = rotation();
    graph.outputs.push(graph.addNode({ opType: 'Add', inputs: [graph.value('x'), graph.value('x')] }).output(), graph.addNode({ opType: 'Mul', inputs: [graph.value('cos'), graph.value('sin')] }).output());
    const found = matchRotaryEmbedding(concat);
    expect([found?.x, found?.cos, found?.sin, found?.output].map((value) => value?.name)).toEqual(['x', 'cos', 'sin', 'y']);
    expect(found?.products.map(({ name }) => name)).toEqual(['c1', 'c2', 's2', 's1']);
    expect(found?.halves.map(({ name }) => name)).toEqual(['difference', 'sum']);
    expect(found?.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)).sort()).toEqual([...NAMES].sort());
    expect(graph.nodes.filter((node) => node !== concat).map((node) => matchRotaryEmbedding(node))).toEqual(Array(9).fill(undefined));
  });

  test.each<[string, Form]>([
    ['joined along another axis', { joined: 2 }],
    ['two sums', { difference: 'Add' }],
    ['a sum the other way round', { isTurned: true }],
    ['two tables of sines', { hasOtherSine: true }],
    ['a table of its own for each head', { table: [2, 3, 5, 4] }],
    ['one row for all positions', { table: [1, 1, 1, 4] }],
  ])('not %s', (_, form) => expect(matchRotaryEmbedding(rotation(form).concat)).toBeUndefined());

  test.each(NAMES)('not where %s is read by somebody else, or leaves the graph', (name) => {
    const read = rotation();
    read.graph.outputs.push(read.graph.addNode({ opType: 'Sigmoid', inputs: [read.graph.value(name)] }).output());
    expect(matchRotaryEmbedding(read.concat)).toBeUndefined();
    const left = rotation();
    left.graph.outputs.push(left.graph.value(name));
    expect(matchRotaryEmbedding(left.concat)).toBeUndefined();
  });
});
