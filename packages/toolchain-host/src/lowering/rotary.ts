/** Lowers rotary embedding over codes: its four products become one operation, and so do their four grids. */
import { type Attribute, type Graph, type Node, type PerTensorEncoding, type RotaryEmbedding, type Value, floatTensor, int64Tensor, matchRotaryEmbedding } from '@tundish/graph';
import type { Coded } from './coded.js';
import { type GridConstants, codeType, sameGrid } from './grid-constants.js';

/** What lowering a rotation needs of the graph under construction. */
export interface RotarySite {
  readonly graph: Graph;
  readonly grids: GridConstants;
  encodingOf(value: Value): PerTensorEncoding | undefined;
  codedOf(value: Value): Coded | undefined;
  /** The float value of the new graph that stands for `value` of the source. */
  resolve(value: Value): Value;
}

const LARGEST_CODE = 65_535;
const int = (value: number): Attribute => ({ type: 'int', value });
const ints = (value: number[]): Attribute => ({ type: 'ints', value });

/**
 * The codes of `node`'s output when `node` joins the halves of a rotation whose values are all on uint16 grids; undefined
 * otherwise. Every code is that of the separate operations: x2·(-sin) on the mirrored grid is the mirror image of x2·sin.
 */
export function lowerRotary(site: RotarySite, node: Node): Coded | undefined {
  const rotation = matchRotaryEmbedding(node);
  const source = rotation === undefined ? undefined : site.codedOf(rotation.x);
  if (rotation === undefined || source === undefined) return undefined;
  const grids = rotation.products.map((product) => site.encodingOf(product));
  const [real, imaginary] = rotation.halves.map((half) => site.encodingOf(half));
  const output = site.encodingOf(node.output()) ?? real;
  const dims = rotation.x.shape ?? [];
  const isCovered = output !== undefined && sameGrid(output, real) && sameGrid(output, imaginary) && dims.every((dim) => typeof dim === 'number');
  if (!isCovered || !grids.every((grid) => grid?.dtype === 'uint16')) return undefined;
  return rotated(site, rotation, { source, grids: grids as PerTensorEncoding[], output, dims: dims as number[], name: node.output().name });
}

interface Plan {
  readonly source: Coded;
  readonly grids: readonly PerTensorEncoding[];
  readonly output: PerTensorEncoding;
  readonly dims: readonly number[];
  readonly name: string;
}

function rotated(site: RotarySite, rotation: RotaryEmbedding, { source, grids, output, dims, name }: Plan): Coded {
  const { graph } = site;
  const [ar, width] = dims.slice(-2) as [number, number];
  const heads = dims.slice(0, -2).reduce((product, dim) => product * dim, 1);
  const half = width / 2;
  const emit = (opType: string, role: string, inputs: readonly Value[], shape: readonly number[], attributes: Record<string, Attribute> = {}): Value => {
    const made = graph.addNode({ opType, name: `${name}/${role}`, inputs, outputs: [`${name}_${role}`], attributes }).output();
    made.dtype = inputs[0]?.dtype;
    made.shape = shape;
    return made;
  };
  const order = emit('Gather', 'operands', [
    emit('Transpose', 'halves', [emit('Reshape', 'pairs', [source.codes, integers(graph, `rotary.pairs.${heads}x${half}`, [heads, ar, 2, half])], [heads, ar, 2, half])], [2, heads, ar, half], { perm: ints([2, 0, 1, 3]) }),
    integers(graph, 'rotary.operands', [0, 1, 1, 0]),
  ], [4, heads, ar, half], { axis: int(0) });
  const products = emit('Mul', 'products', [site.grids.dequantize(order, source.encoding, `${name}_operands_dequantized`), tables(site, rotation)], [4, heads, ar, half]);
  const [cosine, cosine2, sine2, sine] = grids as [PerTensorEncoding, PerTensorEncoding, PerTensorEncoding, PerTensorEncoding];
  const rows = [cosine, cosine2, { ...sine2, zeroPoint: LARGEST_CODE - sine2.zeroPoint }, sine];
  const onGrid = site.grids.dequantizeRows(site.grids.quantizeRows(products, rows, `${name}_products_codes`), rows, `${name}_products_dequantized`);
  const parts = [`${name}_left`, `${name}_right`];
  const split = graph.addNode({ opType: 'Split', name: `${name}/terms`, inputs: [onGrid, integers(graph, 'rotary.terms', [2, 2])], outputs: parts, attributes: { axis: int(0) } });
  for (const part of split.outputs) [part.dtype, part.shape] = [onGrid.dtype, [2, heads, ar, half]];
  const sum = emit('Add', 'sum', split.outputs, [2, heads, ar, half]);
  const codes = site.grids.quantize(sum, output, `${name}_sum_codes`);
  const joined = emit('Reshape', 'joined', [emit('Transpose', 'side_by_side', [codes], [heads, ar, 2, half], { perm: ints([1, 2, 0, 3]) }), integers(graph, `rotary.joined.${dims.toSpliced(-2, 1).join('x')}`, dims)], dims);
  joined.dtype = codeType(output);
  return { codes: joined, encoding: output };
}

/** [cos, cos, -sin, sin] along a new first axis, once for all rotations by the same tables. */
function tables(site: RotarySite, { cos, sin }: RotaryEmbedding): Value {
  const { graph } = site;
  const name = `${cos.name}_${sin.name}_rows`;
  const known = graph.find(name);
  if (known !== undefined) return known;
  const [cosine, sine] = [site.resolve(cos), site.resolve(sin)];
  const minusOne = graph.addInitializer(`${name}.minus_one`, floatTensor([-1], []));
  const negative = graph.addNode({ opType: 'Mul', name: `${name}/negative`, inputs: [sine, minusOne] }).output();
  [negative.dtype, negative.shape] = [sine.dtype, sine.shape];
  const made = graph.addNode({ opType: 'Concat', name, inputs: [cosine, cosine, negative, sine], outputs: [name], attributes: { axis: int(0) } }).output();
  [made.dtype, made.shape] = [sine.dtype, [4, ...(sine.shape ?? []).slice(1)]];
  return made;
}

/**
 * A constant of the graph, once. No name may hold AR or CL: ONNX Runtime writes weights in an order that depends on the names
 * of all constants, and the graphs of a part share one file.
 */
function integers(graph: Graph, name: string, values: readonly number[]): Value {
  return graph.find(name) ?? graph.addInitializer(name, int64Tensor(values));
}
