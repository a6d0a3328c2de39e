/** Projections by head: x · Wᵀ with the D rows of W that one head owns, instead of all rows and a split of the result. */
import { type Graph, type Node, type Value, int64Tensor } from '@tundish/graph';
import { transformError } from '../errors.js';
import { staticShape } from './head-grid.js';
import { addTyped, copyForHead, headName } from './naming.js';
import { type Slices, keepSlice, sliceParameter } from './slice-parameter.js';

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

/** One head [1, AR, D] of a packed projection [1, AR, heads * D]: MatMul with a weight, and constant rows added or multiplied. */
function projectHead(state: ProjectionState, packed: Value, head: number, headDim: number): Value {
  const node = packed.producer;
  const known = state.slices.get(packed)?.[head];
  if (known !== undefined) return known;
  const inputs = node === undefined ? undefined : headInputs(state, node, head, headDim);
  if (node === undefined || inputs === undefined) {
    throw transformError('SHA_PATTERN', {
      what: `the projection that ends in ${packed.name} cannot be cut by heads`,
      why: `${node?.opType ?? 'an input of the graph'} is neither a product with a stored weight nor a bias`,
    });
  }
  const ar = staticShape(packed)[1] ?? 0;
  return keepSlice(state.slices, packed, head, copyForHead(state.graph, node, head, inputs, () => [1, ar, headDim]).output());
}

function headInputs(state: ProjectionState, node: Node, head: number, headDim: number): Value[] | undefined {
  const [left, right] = [node.input(0), node.input(1)];
  if (node.opType === 'MatMul') {
    const transpose = right.producer;
    if (transpose?.opType !== 'Transpose' || transpose.ints('perm')?.join() !== '1,0') return undefined;
    const rows = sliceParameter(state.graph, transpose.input(0), head, headDim, state.slices);
    const columns = staticShape(right)[0] ?? 0;
    return [left, keepSlice(state.slices, right, head, copyForHead(state.graph, transpose, head, [rows], () => [columns, headDim]).output())];
  }
  if (node.opType !== 'Add' && node.opType !== 'Mul') return undefined;
  // A vector is the bias, whichever side it is on; the other operand is the product.
  const vectorIsRight = staticShape(right).length === 1;
  const vector = sliceParameter(state.graph, vectorIsRight ? right : left, head, headDim, state.slices);
  const product = projectHead(state, vectorIsRight ? left : right, head, headDim);
  return vectorIsRight ? [product, vector] : [vector, product];
}

const RANK_AXES = 'sha_head_axis';

/** One head [1, 1, AR, D] of what `transpose` gives: a value of its own, since a cache may have another encoding than its projection. */
export function splitOffHead(state: ProjectionState, transpose: Node, packed: Value, head: number): Value {
  const { graph } = state;
  const original = transpose.output();
  const [, , ar = 0, headDim = 0] = staticShape(original);
  const axes = graph.find(RANK_AXES) ?? graph.addInitializer(RANK_AXES, int64Tensor([0]));
  const rows = projectHead(state, packed, head, headDim);
  return addTyped(graph, 'Unsqueeze', headName(transpose.name, head), [rows, axes], headName(original.name, head), {}, original.dtype, [1, 1, ar, headDim]);
}
