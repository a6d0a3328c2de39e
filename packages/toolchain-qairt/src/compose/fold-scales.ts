/**
 * Finds products of attention scores with a constant, and moves the constant to where the queries are made: codes stay what
 * they are, only scales change, and the compiler is left with one operation less a head.
 */
import { DataType, type Graph, type Node, type Projection, type Value, constantValues, matchProjection, movedInputs } from '@tundish/graph';

export interface FoldedScales {
  /** Values that are computed times this factor. */
  readonly factors: ReadonlyMap<Value, number>;
  /** MatMul to the scaled value that it makes in place of its own output. */
  readonly products: ReadonlyMap<Node, Value>;
  /** The multiplications that are gone. */
  readonly scalings: ReadonlySet<Node>;
}

/** Products of other values with a constant stay where they are. */
export function foldScales(graph: Graph): FoldedScales {
  const constant = constantValues(graph);
  const factors = new Map<Value, number>();
  const products = new Map<Node, Value>();
  const scalings = new Set<Node>();
  for (const node of graph.nodes) {
    const scaled = scaledProduct(graph, node);
    if (scaled === undefined) continue;
    const region = new Set<Value>();
    if (!gather(scaled.product.input(0), constant, region) || !isClosed(graph, region, scaled.product)) continue;
    for (const value of region) factors.set(value, scaled.factor);
    products.set(scaled.product, node.output());
    scalings.add(node);
  }
  return { factors, products, scalings };
}

/** `node` = MatMul of two activations times a positive scalar, where nobody else reads the MatMul. */
function scaledProduct(graph: Graph, node: Node): { readonly product: Node; readonly factor: number } | undefined {
  if (node.opType !== 'Mul') return undefined;
  for (const [value, factor] of [[node.input(0), scalarOf(node.input(1))], [node.input(1), scalarOf(node.input(0))]] as const) {
    const product = value.producer;
    if (factor === undefined || !(factor > 0) || product?.opType !== 'MatMul' || matchProjection(product) !== undefined) continue;
    if (value.uses.length === 1 && !graph.outputs.includes(value)) return { product, factor };
  }
  return undefined;
}

function scalarOf({ tensor }: Value): number | undefined {
  if (tensor?.kind !== 'inline' || tensor.dtype !== DataType.FLOAT || tensor.data.byteLength !== 4) return undefined;
  return new DataView(tensor.data.buffer, tensor.data.byteOffset).getFloat32(0, true);
}

/** Collects what has to be scaled so that `value` is; false when something on the way is not linear. */
function gather(value: Value, constant: ReadonlySet<Value>, region: Set<Value>): boolean {
  if (region.has(value)) return true;
  const node = value.producer;
  if (node === undefined) return false;
  region.add(value);
  const sources = linearSources(node, constant);
  return sources !== undefined && sources.every((source) => gather(source, constant, region));
}

/** The inputs that scale the output of `node`; none for a projection whose weight is its own to scale, undefined for other operators. */
function linearSources(node: Node, constant: ReadonlySet<Value>): readonly Value[] | undefined {
  const projection = matchProjection(node);
  if (projection !== undefined) return isShared(projection) ? [projection.input] : [];
  const moved = movedInputs(node);
  if (moved !== undefined) return moved.filter((input) => input !== undefined);
  if (node.opType === 'Add' || node.opType === 'Sub') return [node.input(0), node.input(1)].some((input) => constant.has(input)) ? undefined : [node.input(0), node.input(1)];
  // x times a table that enters the graph: x carries the factor.
  if (node.opType !== 'Mul') return undefined;
  const factors = [node.input(0), node.input(1)].filter((input) => input.producer !== undefined && !constant.has(input));
  return factors.length === 1 ? factors : undefined;
}

/** A rotation of heads is one matrix for all queries and keys. */
function isShared({ weight, steps, transpose }: Projection): boolean {
  return [weight, ...steps.map((step) => step.output()), transpose.output()].some(({ uses }) => uses.length > 1);
}

/** True when nothing outside reads a value of the region, but `product` as its first operand. */
function isClosed(graph: Graph, region: ReadonlySet<Value>, product: Node): boolean {
  return [...region].every((value) => {
    if (graph.outputs.includes(value)) return false;
    const siblings = value.producer?.outputs ?? [];
    return siblings.every((sibling) => region.has(sibling)) && value.uses.every(({ node, index }) => (node === product ? index === 0 : node.outputs.every((output) => region.has(output))));
  });
}
