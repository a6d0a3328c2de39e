/** How data goes through a graph: what is constant, what is an activation, and which operators move without computing. */
import { DataType } from './data-type.js';
import type { Graph } from './graph.js';
import type { Node, Value } from './node.js';

/** Operators that copy elements: what they give has the encoding of what they take. */
const MOVEMENT: ReadonlySet<string> = new Set([
  'Concat', 'Expand', 'Flatten', 'Gather', 'Identity', 'Reshape', 'Slice', 'Split', 'Squeeze', 'Tile', 'Transpose', 'Unsqueeze',
]);

/** Initializers, and values that depend on nothing else. */
export function constantValues(graph: Graph): ReadonlySet<Value> {
  const constant = new Set<Value>(graph.initializers);
  for (const node of graph.sortedNodes()) {
    if (node.inputs.every((input) => input === undefined || constant.has(input))) for (const output of node.outputs) constant.add(output);
  }
  return constant;
}

/** Float values that depend on an input of the graph: the inputs first, then in topological order. */
export function activationValues(graph: Graph): Value[] {
  const constant = constantValues(graph);
  const made = graph.sortedNodes().flatMap((node) => node.outputs);
  return [...graph.inputs, ...made].filter((value) => value.dtype === DataType.FLOAT && !constant.has(value));
}

/** The values whose data `node` hands on, all of them for Concat; undefined when it computes. */
export function movedInputs(node: Node): readonly (Value | undefined)[] | undefined {
  if (!MOVEMENT.has(node.opType)) return undefined;
  return node.opType === 'Concat' ? node.inputs : node.inputs.slice(0, 1);
}
