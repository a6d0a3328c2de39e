/** Projections by head: x · Wᵀ with the D rows of W that one head owns, instead of all rows and a split of the result. */
import { type Graph, type Node, type Value, int64Tensor } from '@tundish/graph';
import { transformError } from '../errors.js';
import { staticShape } from './head-grid.js';
import { addTyped, copyForHeads, headName } from './naming.js';
import { type Slices, sliceParameter } from './slice-parameter.js';

/** What one rewrite remembers between projections. */
export interface ProjectionState {
  readonly graph: Graph;
  readonly slices: Slices;
}

/** The packed result that `transpose` turns into heads: Transpose([1,2,0,3]) of Reshape([AR, groups, members, D]). */
export function packedProjection(transpose: Node): Value | undefined {
  const perm = transpose.ints('perm');
  const reshape = transpose.input(0).producer;
  if (transpose.opType !== 'Transpose' || perm?.join() !== '1,2,0,3' || reshape?.opType !== 'Reshape') return undefined;
  return reshape.input(0);
}

/** Heads [1, AR, D] of a packed projection [1, AR, heads * D]: MatMul with a weight, and constant rows added or multiplied. */
function projectHeads(state: ProjectionState, packed: Value, heads: number): readonly Value[] {
  const known = state.slices.get(packed);
  if (known !== undefined) return known;
  const node = packed.producer;
  const operands = node === undefined ? undefined : operandsByHead(state, node, heads);
  if (node === undefined || operands === undefined) {
    throw transformError('SHA_PATTERN', {
      what: `the projection that ends in ${packed.name} cannot be cut by heads`,
      why: `${node?.opType ?? 'an input of the graph'} is neither a product with a stored weight nor a bias`,
    });
  }
  const [, ar = 0, width = 0] = staticShape(packed);
  const made = copyForHeads(state.graph, node, heads, operands, () => [1, ar, width / heads]).map((copy) => copy.output());
  state.slices.set(packed, made);
  return made;
}

/** Inputs of the copy for each head; undefined when `node` is no part of a projection. */
function operandsByHead(state: ProjectionState, node: Node, heads: number): ((head: number) => readonly (Value | undefined)[]) | undefined {
  const [left, right] = [node.input(0), node.input(1)];
  if (node.opType === 'MatMul') {
    const columns = weightColumns(state, right, heads);
    return columns === undefined ? undefined : (head) => [left, columns[head]];
  }
  if (node.opType !== 'Add' && node.opType !== 'Mul') return undefined;
  // A vector is the bias, whichever side it is on; the other operand is the product.
  const vectorIsRight = staticShape(right).length === 1;
  const vectors = sliceParameter(state.graph, vectorIsRight ? right : left, heads, state.slices);
  const products = projectHeads(state, vectorIsRight ? left : right, heads);
  return (head) => (vectorIsRight ? [products[head], vectors[head]] : [vectors[head], products[head]]);
}

/** Wᵀ by head, [H, D] each, from the rows of W. */
function weightColumns({ graph, slices }: ProjectionState, transposed: Value, heads: number): readonly Value[] | undefined {
  const transpose = transposed.producer;
  if (transpose?.opType !== 'Transpose' || transpose.ints('perm')?.join() !== '1,0') return undefined;
  const rows = sliceParameter(graph, transpose.input(0), heads, slices);
  const [hidden = 0, width = 0] = staticShape(transposed);
  const made = copyForHeads(graph, transpose, heads, (head) => [rows[head]], () => [hidden, width / heads]).map((copy) => copy.output());
  slices.set(transposed, made);
  return made;
}

const RANK_AXES = 'sha_head_axis';

/** Heads [1, 1, AR, D] of what `transpose` gives: values of their own, since a cache may have another encoding than its projection. */
export function splitOffHeads(state: ProjectionState, transpose: Node, packed: Value, heads: number): readonly Value[] {
  const { graph } = state;
  const original = transpose.output();
  const [, , ar = 0, headDim = 0] = staticShape(original);
  const axes = graph.find(RANK_AXES) ?? graph.addInitializer(RANK_AXES, int64Tensor([0]));
  return projectHeads(state, packed, heads).map((rows, head) =>
    addTyped(graph, 'Unsqueeze', headName(transpose.name, head), [rows, axes], headName(original.name, head), {}, original.dtype, [1, 1, ar, headDim]),
  );
}
