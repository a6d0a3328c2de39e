/** Recognises a rotary embedding of halves in the form in which Tundish writes it: Split, four products, a difference, a sum, Concat. */
import type { Node, Value } from './node.js';

/** x [..., AR, D] = (x1, x2) -> (x1 cos - x2 sin, x1 sin + x2 cos), D/2 columns each. */
export interface RotaryEmbedding {
  readonly x: Value;
  /** [1, 1, AR, D/2], as `sin`: one table for all heads. */
  readonly cos: Value;
  readonly sin: Value;
  /** x1 cos, x2 cos, x2 sin, x1 sin. */
  readonly products: readonly [Value, Value, Value, Value];
  /** The difference and the sum, which are joined. */
  readonly halves: readonly [Value, Value];
  /** Everything between x and the result, which nobody else reads: the Split, the products, the difference and the sum. */
  readonly nodes: readonly Node[];
  readonly output: Value;
}

/** The rotary embedding that `concat` ends; undefined for other nodes, and where somebody else reads what lies inside. */
export function matchRotaryEmbedding(concat: Node): RotaryEmbedding | undefined {
  if (concat.opType !== 'Concat' || concat.inputs.length !== 2) return undefined;
  const halves = [concat.input(0), concat.input(1)] as const;
  const [difference, sum] = halves.map(({ producer }) => producer);
  if (difference?.opType !== 'Sub' || sum?.opType !== 'Add') return undefined;
  const products = [difference.input(0), sum.input(1), difference.input(1), sum.input(0)] as const;
  const factors = products.map(({ producer }) => (producer?.opType === 'Mul' ? [producer.input(0), producer.input(1)] as const : undefined));
  const [[x1, cos] = [], [x2, cos2] = [], [x2b, sin] = [], [x1b, sin2] = []] = factors;
  const split = x1?.producer;
  const isRotation = split?.opType === 'Split' && split.outputs.length === 2 && split.outputs[0] === x1 && split.outputs[1] === x2 && x1 === x1b && x2 === x2b && cos === cos2 && sin === sin2;
  if (!isRotation || cos === undefined || sin === undefined || !alongLast(split, concat) || !isTable(cos, split) || !isTable(sin, split)) return undefined;
  const nodes = [split, ...products.map(({ producer }) => producer as Node), difference, sum];
  return isClosed(nodes, concat) ? { x: split.input(0), cos, sin, products, halves, nodes, output: concat.output() } : undefined;
}

/** Both cut and join the last axis, in equal halves. */
function alongLast(split: Node, concat: Node): boolean {
  const rank = split.input(0).shape?.length ?? 0;
  const [first, second] = split.outputs.map(({ shape }) => shape?.at(-1));
  return rank >= 2 && first !== undefined && first === second && [split, concat].every((node) => ((node.int('axis') ?? 0) + rank) % rank === rank - 1);
}

function isTable({ shape }: Value, split: Node): boolean {
  return shape?.length === 4 && [1, 1, ...(split.output().shape ?? []).slice(-2)].every((dim, axis) => dim === shape[axis]);
}

function isClosed(nodes: readonly Node[], last: Node): boolean {
  const readers = new Set([...nodes, last]);
  return nodes.every(({ outputs }) => outputs.every((output) => output.consumers.every((reader) => readers.has(reader)) && !last.graph.outputs.includes(output)));
}
