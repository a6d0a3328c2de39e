/** Products of one input with several blockwise weights become one product: its threads are started once instead of for each. */
import { type Attribute, type Node, type Value, int64Tensor } from '@tundish/graph';
import { type LoweringSite, linearWeight, packedBytes, product } from './linear.js';
import type { BlockwiseWeight } from './weight-expression.js';

const int = (value: number): Attribute => ({ type: 'int', value });

/** A product over a blockwise weight of 4 bits, read through Transpose. */
interface Linear {
  readonly node: Node;
  readonly weight: BlockwiseWeight;
}

/**
 * The outputs of `node` and of the products beside it that can be computed with it, by node; undefined when there are no
 * others. Every column is summed as it would be alone.
 *
 * @param isAlone whether a product is lowered by itself, as one is whose output is of the graph
 */
export function joinLinear(site: LoweringSite, node: Node, isAlone: (node: Node) => boolean): ReadonlyMap<Node, Value> | undefined {
  const first = linearOf(site, node);
  if (first === undefined || isAlone(node)) return undefined;
  const readers = node.input(0).consumers.filter((reader) => reader.input(0) === node.input(0) && !isAlone(reader));
  const group = readers.map((reader) => linearOf(site, reader)).filter((linear) => linear !== undefined && isLike(linear.weight, first.weight)) as Linear[];
  if (group.length < 2) return undefined;
  const sizes = group.map(({ weight }) => weight.rows);
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  const { blockSize, columns } = first.weight;
  const name = `${group[0]?.node.name}/joined`;
  const bytes = concat(site, `${name}.bytes`, group.map(({ weight }) => packedBytes(site.graph, weight)));
  const scale = concat(site, `${name}.scale`, group.map(({ weight }) => site.resolve(weight.scale)));
  const joined = product(site.graph, [site.resolve(node.input(0)), bytes, scale], { rows, columns, blockSize }, name, `${name}_output`);
  const lengths = site.graph.addInitializer(`${name}.rows`, int64Tensor(sizes));
  const outputs = group.map((linear) => `${linear.node.output().name}_own`);
  const split = site.graph.addNode({ opType: 'Split', name: `${name}/split`, inputs: [joined, lengths], outputs, attributes: { axis: int(-1) } });
  return new Map(group.map((linear, i) => [linear.node, split.output(i)]));
}

function linearOf(site: LoweringSite, node: Node): Linear | undefined {
  const weight = linearWeight(site, node);
  return weight?.kind === 'blockwise' && weight.bits === 4 ? { node, weight } : undefined;
}

function isLike(a: BlockwiseWeight, b: BlockwiseWeight): boolean {
  return a.columns === b.columns && a.blockSize === b.blockSize;
}

/** A constant expression along the first axis; compile folds it. */
function concat(site: LoweringSite, name: string, inputs: readonly Value[]): Value {
  return site.graph.addNode({ opType: 'Concat', name, inputs, outputs: [name], attributes: { axis: int(0) } }).output();
}
