/**
 * Multi-head attention becomes single-head operations: accelerators run a head's products from local memory. The idea of
 * a recursive rewrite from the joined heads back to the projections is ExecuTorch's (backends/qualcomm, BSD-3).
 */
import { type Graph, type Model, type Node, type Value, cloneModel } from '@tundish/graph';
import { transformError } from '../errors.js';
import { type HeadGrid, staticShape } from './head-grid.js';
import { type RenameMap, addTyped } from './naming.js';
import { type SplitState, splitHeads } from './split-heads.js';

export interface ShaResult {
  readonly model: Model;
  /** Values that are gone and what took their place; values that stay are not in it. */
  readonly renames: RenameMap;
}

/** Where the heads of one attention come together: product with V, Transpose([2,0,1,3]), Reshape to [1, AR, heads * D]. */
interface Join {
  readonly context: Value;
  readonly transpose: Node;
  readonly reshape: Node;
}

/**
 * 1. Every projection of queries, keys and values becomes one product a head with the head's own rows of the weight.
 * 2. Everything between the projections and the join is copied for every head; keys and values once a KV head, shared by
 *    its query heads; mask, tables and scalars are shared by all.
 * 3. Heads are joined by Concat in front of the output projection, which stays whole; cache outputs are joined on axis 0
 *    and keep their names. A value of one head only is left as it is.
 *
 * Inputs, outputs and weight bytes are unchanged; shapes must be static and known. The given model is not changed.
 *
 * @throws SHA_NO_ATTENTION, SHA_PATTERN
 */
export function mhaToSha(source: Model): ShaResult {
  const model = cloneModel(source);
  const { graph } = model;
  const joins = graph.sortedNodes().filter((node) => node.opType === 'Softmax').map(joinBehind);
  if (joins.length === 0) {
    throw transformError('SHA_NO_ATTENTION', { what: `graph ${graph.name} holds no Softmax`, why: 'attention is recognised by it' });
  }
  const state: SplitState = { graph, slices: new Map(), grids: new Map() };
  const renames = new Map<string, readonly string[]>();
  for (const join of joins) {
    const grid = splitHeads(state, join.context);
    if (grid !== undefined) joinHeads(graph, join, grid, renames);
  }
  for (const output of graph.outputs) joinOutput(graph, output, state);
  recordRenames(state, renames);
  graph.prune();
  return { model, renames };
}

/** @throws SHA_PATTERN when no known join follows */
function joinBehind(softmax: Node): Join {
  const product = only(softmax.output(), 'MatMul');
  const transpose = only(product?.output(), 'Transpose');
  const reshape = only(transpose?.output(), 'Reshape');
  if (product !== undefined && reshape !== undefined && transpose?.ints('perm')?.join() === '2,0,1,3') return { context: product.output(), transpose, reshape };
  throw transformError('SHA_PATTERN', {
    what: `behind ${softmax.name} the heads are not joined in a known way`,
    why: 'MatMul, Transpose([2,0,1,3]) and Reshape are expected to follow the Softmax, each read by the next alone',
  });
}

function only(value: Value | undefined, opType: string): Node | undefined {
  const [reader, ...others] = value?.consumers ?? [];
  return reader?.opType === opType && others.length === 0 ? reader : undefined;
}

/** Heads [1, 1, AR, D] side by side are [1, 1, AR, heads * D]: the Reshape behind it still fits. */
function joinHeads(graph: Graph, { transpose, reshape }: Join, grid: HeadGrid, renames: Map<string, readonly string[]>): void {
  const old = transpose.output();
  const [, ar = 0, width = 0] = staticShape(reshape.output());
  const axis = { axis: { type: 'int', value: 3 } } as const;
  const joined = addTyped(graph, 'Concat', `${transpose.name}_sha`, grid.heads, `${old.name}_sha`, axis, old.dtype, [1, 1, ar, width]);
  reshape.replaceInput(0, joined);
  renames.set(old.name, [joined.name]);
}

/** A cache output that was split is put together again, under its own name. */
function joinOutput(graph: Graph, output: Value, { grids }: SplitState): void {
  const grid = grids.get(output);
  if (grid === undefined) return;
  graph.replaceProducer(output, { opType: 'Concat', name: `${output.name}_sha`, inputs: grid.heads, attributes: { axis: { type: 'int', value: 0 } } });
}

function recordRenames({ graph, grids, slices }: SplitState, renames: Map<string, readonly string[]>): void {
  const stays = (value: Value): boolean => graph.inputs.includes(value) || graph.outputs.includes(value);
  for (const [value, { heads }] of grids) {
    const names = heads.map((head) => head.name);
    renames.set(value.name, stays(value) ? [value.name, ...names] : names);
  }
  for (const [value, heads] of slices) renames.set(value.name, heads.map((head) => head.name));
}
