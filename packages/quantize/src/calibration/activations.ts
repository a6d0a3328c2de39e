/** How each activation gets its encoding: observed, inherited or fixed. */
import { type Graph, type Node, type Value, activationValues, movedInputs } from '@tundish/graph';

/** Ops whose range is known: Softmax and Sigmoid fill [0,1], and the embedding has the grid of its table. */
const KNOWN_RANGE: ReadonlySet<string> = new Set(['Softmax', 'Sigmoid', 'DequantizeLinear']);

/** Values whose range must be measured: made by an op that computes something no rule foretells. */
export function observedValues(graph: Graph): Value[] {
  return activationValues(graph).filter(({ producer }) => producer !== undefined && movedInputs(producer) === undefined && !KNOWN_RANGE.has(producer.opType) && maskedScores(producer) === undefined);
}

/** The scores that a node adds the attention mask to; the range of the sum follows from theirs. */
export function maskedScores(node: Node): Value | undefined {
  if (node.opType !== 'Add' || !node.inputs.some((input) => input?.name === 'attention_mask')) return undefined;
  return node.inputs.find((input) => input !== undefined && input.name !== 'attention_mask');
}

/** The value whose data a movement node hands on; undefined for Concat, which joins several. */
export function movedInput(node: Node): Value | undefined {
  return node.opType === 'Concat' ? undefined : movedInputs(node)?.[0];
}

/** The cache value that a Concat appends to, when this Concat is the cache update of attention. */
export function cacheInput(node: Node): Value | undefined {
  if (node.opType !== 'Concat') return undefined;
  return node.inputs.find((input) => input !== undefined && /^past_(key|value)_\d+_in$/.test(input.name));
}
