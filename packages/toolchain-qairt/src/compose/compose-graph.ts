/** Composes an adapted graph with its encodings into a graph of the vendor's compiler. No library is needed for it. */
import { printable } from '@tundish/diagnostics';
import { type Encodings, type Graph, type Model, type Node, type RotaryEmbedding, activationValues, checkSanitisedNames, constantValues, matchRotaryEmbedding } from '@tundish/graph';
import { activationEncodings } from './activation-encodings.js';
import { Composition } from './composition.js';
import { composeError } from './errors.js';
import { foldScales } from './fold-scales.js';
import { composeRotaryEmbedding } from './ops/rotary-embedding.js';
import { COMPOSED_OPS } from './ops/table.js';
import type { QnnGraphPlan } from './plan.js';

/** What activations are on the processor: codes on grids, or half floats. */
export type Precision = 'codes' | 'fp16';

export interface ComposeOptions {
  /** `fp16` needs encodings of weights alone; absent: `codes`. */
  readonly precision?: Precision;
  /** Whether a rotary embedding becomes one operation in place of products, a difference and a sum; absent: `composed`. */
  readonly rotaryEmbedding?: 'composed' | 'operation';
}

/**
 * Inputs and outputs keep their order, shapes, and names up to characters that are no letter, digit or underscore. Inside,
 * activations have four axes. Equal constants of several graphs have equal names and bytes, so that a context shares them.
 *
 * @param model after arcl, split and mha2sha; it is not changed
 * @param name of the graph, as `graphName` of a cell gives it
 * @throws QAIRT_OP_UNSUPPORTED, QAIRT_WEIGHT_UNSUPPORTED, QAIRT_ENCODING_MISSING, QAIRT_ENCODING_UNSUPPORTED,
 *   QAIRT_CONCAT_ENCODING, QAIRT_GRAPH_SHAPE, GRAPH_DEVICE_NAMES
 */
export function composeGraph({ graph }: Model, encodings: Encodings, name: string, { rotaryEmbedding = 'composed', precision = 'codes' }: ComposeOptions = {}): QnnGraphPlan {
  checkSanitisedNames(graph);
  const computing = computingNodes(graph);
  assertSupported(computing);
  const folded = foldScales(graph);
  const composition = new Composition({
    encodings: precision === 'fp16' ? new Map(activationValues(graph).map((value) => [value, 'float16'])) : activationEncodings(graph, encodings.activations, folded),
    parameters: encodings.parameters, folded,
  });
  const inputs = graph.inputs.map((input) => composition.input(input));
  const outputs = graph.outputs.map((output) => composition.output(output));
  const rotations = rotaryEmbedding === 'operation' ? rotationsIn(computing) : new Map<Node, RotaryEmbedding>();
  const left = new Set([...folded.scalings, ...[...rotations.values()].flatMap(({ nodes }) => nodes)]);
  for (const node of computing.filter((each) => !left.has(each))) {
    const rotation = rotations.get(node);
    if (rotation === undefined) COMPOSED_OPS[node.opType]?.(composition, node);
    else composeRotaryEmbedding(composition, rotation);
  }
  return { name, inputs, outputs, tensors: composition.tensors, operations: composition.operations };
}

/** Nodes that depend on an input, in the order in which they compute. */
function computingNodes(graph: Graph): Node[] {
  const constant = constantValues(graph);
  return graph.sortedNodes().filter((node) => !node.outputs.every((output) => constant.has(output)));
}

/** By the node that ends them. */
function rotationsIn(nodes: readonly Node[]): ReadonlyMap<Node, RotaryEmbedding> {
  return new Map(nodes.flatMap((node) => {
    const rotation = matchRotaryEmbedding(node);
    return rotation === undefined ? [] : [[node, rotation] as const];
  }));
}

/** All at once: a graph with one strange operator mostly has more of them. */
function assertSupported(nodes: readonly Node[]): void {
  const strange = nodes.filter(({ opType, domain }) => domain !== '' || !Object.hasOwn(COMPOSED_OPS, opType));
  const [first] = strange;
  if (first === undefined) return;
  const others = [...new Set(strange.map(({ opType }) => opType))].slice(1);
  throw composeError('QAIRT_OP_UNSUPPORTED', {
    what: `${printable(first.opType)} ${printable(first.name)} has no counterpart${others.length === 0 ? '' : `, nor have ${others.map((op) => printable(op)).join(', ')}`}`,
    why: `${strange.length} node${strange.length === 1 ? '' : 's'} of the graph cannot be composed; operators that can be: ${Object.keys(COMPOSED_OPS).join(', ')}`,
    evidence: { detail: `node ${printable(first.name)}` },
    fix: 'write the graph with these operators, or build it with toolchain: host',
  });
}
