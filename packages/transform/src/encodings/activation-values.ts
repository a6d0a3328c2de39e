/** Which values of a graph are activations, and where an operator that computes nothing takes its data from. */
import { DataType, type Graph, type Node, type Value } from '@tundish/graph';

/** Operators that move data: what they give has the encoding of what they take. */
const MOVEMENT: ReadonlySet<string> = new Set(['Reshape', 'Transpose', 'Concat', 'Split', 'Slice', 'Squeeze', 'Unsqueeze', 'Flatten', 'Expand', 'Identity', 'Gather']);

/** Float values that depend on an input of the graph, inputs first, then in topological order. */
export function activationValues(graph: Graph): readonly Value[] {
  const live = new Set<Value>(graph.inputs);
  for (const node of graph.sortedNodes()) {
    if (node.inputs.some((input) => input !== undefined && live.has(input))) for (const output of node.outputs) live.add(output);
  }
  return [...live].filter((value) => value.dtype === DataType.FLOAT);
}

/** The values whose data `node` hands on; undefined when it computes. */
export function movedInputs(node: Node): readonly Value[] | undefined {
  if (!MOVEMENT.has(node.opType)) return undefined;
  const sources = node.opType === 'Concat' ? node.inputs : node.inputs.slice(0, 1);
  return sources.filter((input) => input !== undefined);
}
