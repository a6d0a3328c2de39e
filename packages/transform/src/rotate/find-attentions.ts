/** Finds the attentions of an adapted graph by their Softmax: what becomes of queries, keys and values. */
import { printable } from '@tundish/diagnostics';
import { type Graph, type Node, type Projection, type Value, matchProjection } from '@tundish/graph';
import { transformError } from '../errors.js';
import { isAlone, projectionInto } from './rotate-projection.js';

export interface Attention {
  /** The product of queries and keys. */
  readonly scores: Node;
  /** Transposes the new keys [.., AR, headDim] that are about to enter the cache. */
  readonly keyTranspose: Node;
  readonly v: Projection;
  readonly o: Projection;
  readonly headDim: number;
}

/** In the order in which they run. @throws ROTATE_ATTENTION when there is none, or for one of another form */
export function findAttentions(graph: Graph): Attention[] {
  const found = graph.sortedNodes().filter(({ opType }) => opType === 'Softmax').map(attentionAt);
  if (found.length === 0) throw refuse(`graph ${printable(graph.name)} holds no Softmax`, 'attention is recognised by it');
  return found;
}

function attentionAt(softmax: Node): Attention {
  const scaled = made(made(softmax.input(0), 'Add').input(0), 'Mul');
  const scores = made(scaled.input(0), 'MatMul');
  const keyTranspose = made(made(scores.input(1), 'Concat').input(1), 'Transpose', [0, 1, 3, 2]);

  const context = reader(softmax.output(), 'MatMul');
  const split = made(made(made(context.input(1), 'Concat').input(1), 'Transpose', [1, 2, 0, 3]).input(0), 'Reshape');
  const joined = reader(reader(context.output(), 'Transpose').output(), 'Reshape').output();
  const v = projectionInto(split.input(0));
  const o = matchProjection(reader(joined, 'MatMul'));
  const headDim = keyTranspose.input(0).shape?.at(-1);
  if (v === undefined || o === undefined || !isAlone(o) || split.input(0).uses.length > 1) throw refuse(`${printable(context.name)} is not between two linear layers`, 'values come from one that nothing else reads, and go to another');
  if (typeof headDim !== 'number' || split.output().shape?.at(-1) !== headDim) throw refuse(`the heads of ${printable(context.name)} have no known size`, 'the last dimension of keys and values is the size of a head');
  return { scores, keyTranspose, v, o, headDim };
}

function made(value: Value, opType: string, perm?: readonly number[]): Node {
  const { producer } = value;
  const fits = producer?.opType === opType && (perm === undefined || producer.ints('perm')?.join() === perm.join());
  if (fits) return producer;
  throw refuse(`${printable(value.name)} is made by ${producer?.opType ?? 'no node'}`, `${opType}${perm === undefined ? '' : ` [${perm.join()}]`} is expected there`);
}

function reader(value: Value, opType: string): Node {
  const [use, ...others] = value.consumers;
  if (use?.opType === opType && others.length === 0) return use;
  throw refuse(`${printable(value.name)} is read by ${value.consumers.map((node) => node.opType).join(', ') || 'nothing'}`, `one ${opType} is expected there`);
}

function refuse(what: string, why: string): Error {
  return transformError('ROTATE_ATTENTION', { what, why, fix: 'leave out r2 and r3 for this model' });
}
