/** Use lists agree with node inputs after any sequence of edits. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DataType as T, Graph, type Node, type Value, cloneModel, decodeModel, encodeModel, floatTensor } from '../src/index.js';
import { modelOf } from './models.js';

/** Every read is in exactly one use list, and every use list entry is a read. */
function checkUses(graph: Graph): void {
  const reads = graph.nodes.flatMap((node) => node.inputs.flatMap((input, index) => (input === undefined ? [] : [{ input, node, index }])));
  const listed = graph.values.flatMap((value) => value.uses.map((use) => ({ input: value, ...use })));
  const key = (use: { input: Value; node: Node; index: number }): string => `${use.input.name}>${use.node.name}:${use.index}`;
  expect(listed.map(key).sort()).toEqual(reads.map(key).sort());
  for (const { input } of reads) expect(graph.find(input.name)).toBe(input);
  for (const node of graph.nodes) for (const output of node.outputs) expect(output.producer).toBe(node);
  for (const value of graph.values) if (value.producer !== undefined) expect(graph.nodes).toContain(value.producer);
}

const edit = fc.record({ kind: fc.constantFrom('add', 'rewire', 'replaceAll', 'remove', 'prune', 'output', 'initializer', 'replaceProducer'), a: fc.nat(1000), b: fc.nat(1000) });

/** Values that may be read by `node` without making a cycle: those made before it. */
function earlier(graph: Graph, node: Node): Value[] {
  const order = graph.sortedNodes();
  const before = new Set(order.slice(0, order.indexOf(node)));
  return graph.values.filter((value) => value.producer === undefined || before.has(value.producer));
}

function apply(graph: Graph, { kind, a, b }: { kind: string; a: number; b: number }): void {
  const { values, nodes } = graph;
  const value = values[a % values.length] as Value;
  const node = nodes[b % Math.max(1, nodes.length)];
  if (kind === 'add') graph.addNode({ opType: 'Add', inputs: [value, values[b % values.length]] });
  else if (kind === 'initializer') graph.addInitializer(graph.uniqueName('c'), floatTensor([a]));
  else if (kind === 'output') graph.outputs.push(value);
  else if (kind === 'prune') graph.prune();
  else if (node === undefined) return;
  else if (kind === 'rewire') node.replaceInput(a % 2, earlier(graph, node)[a % earlier(graph, node).length]);
  else if (kind === 'replaceAll') node.output().replaceAllUsesWith(earlier(graph, node)[a % earlier(graph, node).length] as Value);
  else if (kind === 'replaceProducer') graph.replaceProducer(node.output(), { opType: 'Identity', inputs: earlier(graph, node).slice(0, 1) });
  else if (node.output().uses.length === 0 && !graph.outputs.includes(node.output())) graph.removeNode(node);
  else expect(() => graph.removeNode(node)).toThrow(/GRAPH_IN_USE/);
}

test('random edits', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 40 }), (edits) => {
      const graph = new Graph('edited');
      graph.addInput('x', T.FLOAT, [1]);
      for (const one of edits) {
        apply(graph, one);
        checkUses(graph);
      }
      const names = graph.nodes.map((node) => node.name);
      expect(new Set(names).size).toBe(names.length);
      const copy = cloneModel(modelOf(graph));
      checkUses(copy.graph);
      expect(encodeModel(copy)).toEqual(encodeModel(modelOf(graph)));
      checkUses(decodeModel(encodeModel(copy)).graph);
    }),
    { numRuns: 150, seed: 3 },
  );
});
