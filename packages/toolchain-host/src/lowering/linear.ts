/** Lowers MatMul over a quantized weight to com.microsoft.MatMulNBits over the very bytes that quantize wrote. */
import { type Attribute, DataType, type Graph, type Node, type ParameterEncoding, type Value, inlineTensor, int64Tensor, floatTensor } from '@tundish/graph';
import { type BlockwiseWeight, type ChannelWeight, quantizedWeight } from './weight-expression.js';

/** What lowering one node needs of the graph under construction. */
export interface LoweringSite {
  readonly graph: Graph;
  readonly parameters: ReadonlyMap<string, ParameterEncoding>;
  /** The value of the new graph that stands for `value` of the source. */
  resolve(value: Value): Value;
}

const int = (value: number): Attribute => ({ type: 'int', value });

/** Level 1 = float32 accumulation. Level 4 would requantize the activation to int8 and turn W4A16 into W4A8. */
const ACCURACY_LEVEL = 1;

/** The quantized weight [N, K] that `node` multiplies by, read through Transpose; undefined for every other node. @throws HOST_WEIGHT_FORM */
export function linearWeight(site: LoweringSite, node: Node): ReturnType<typeof quantizedWeight> {
  const transpose = node.opType === 'MatMul' ? node.input(1).producer : undefined;
  if (transpose?.opType !== 'Transpose' || transpose.ints('perm')?.join() !== '1,0') return undefined;
  return quantizedWeight(transpose.input(0), site.parameters);
}

/** The product named `output`, or undefined when the weight of `node` is not quantized. @throws HOST_WEIGHT_FORM */
export function lowerLinear(site: LoweringSite, node: Node, output: string): Value | undefined {
  const weight = linearWeight(site, node);
  if (weight === undefined) return undefined;
  const x = site.resolve(node.input(0));
  if (weight.kind === 'per-channel') return channelProduct(site, x, weight, node.name, output);
  const { rows, columns, blockSize } = weight;
  const packed = bytesView(site.graph, weight.name, weight.codes, [rows, columns / blockSize, blockSize / 2]);
  return product(site.graph, [x, packed, site.resolve(weight.scale)], weight, node.name, output);
}

/**
 * int8 w = 16 * h + l with h in [-8,7] and l in [0,15]: two 4-bit products with float32 accumulation, exact in the weight.
 * (MatMulNBits with 8 bits at level 1 widens the whole matrix on every call.) The planes are constant expressions over the
 * same bytes; compile folds them, so that convert writes no weight.
 */
function channelProduct(site: LoweringSite, x: Value, weight: ChannelWeight, name: string, output: string): Value {
  const { graph } = site;
  const { rows, columns } = weight;
  const blockSize = [128, 64, 32, 16].find((size) => columns % size === 0) as number;
  const blocks = columns / blockSize;
  const planes = nibblePlanes(graph, weight, [rows, blocks, blockSize / 2]);
  const node = constantNodes(graph, weight.name);
  const column = node('Reshape', 'scale_column', [site.resolve(weight.scale), dims(graph, `${weight.name}.scale_dims`, [rows, 1])]);
  const low = node('Expand', 'low_scale', [column, dims(graph, `${weight.name}.block_dims`, [rows, blocks])]);
  const high = node('Mul', 'high_scale', [low, constant(graph, 'nibble.16f', floatTensor([16], []))]);
  const zero = node('Expand', 'low_zero', [byte(graph, 0), dims(graph, `${weight.name}.zero_dims`, [rows, Math.ceil(blocks / 2)])]);
  const shape = { rows, columns, blockSize };
  const parts = [
    product(graph, [x, planes.high, high], shape, `${name}/high`, `${output}_high`),
    product(graph, [x, planes.low, low, zero], shape, `${name}/low`, `${output}_low`),
  ];
  return graph.addNode({ opType: 'Add', name, inputs: parts, outputs: [output] }).output();
}

/** Low nibbles of two neighbours in one byte, and high nibbles as codes h + 8, both with the even column in the low half. */
function nibblePlanes(graph: Graph, weight: ChannelWeight, view: readonly number[]): { readonly high: Value; readonly low: Value } {
  const node = constantNodes(graph, weight.name);
  const pairs = bytesView(graph, weight.name, weight.codes, [weight.rows, weight.columns / 2, 2]);
  const [even, odd] = halves(graph, weight.name, pairs);
  const four = byte(graph, 4);
  const shape = dims(graph, `${weight.name}.plane_dims`, view);
  const low = node('BitwiseOr', 'low_pairs', [node('BitwiseAnd', 'low_even', [even, byte(graph, 0x0f)]), node('BitShift', 'low_odd', [odd, four], 'LEFT')]);
  const signed = node('BitwiseOr', 'high_pairs', [node('BitShift', 'high_even', [even, four], 'RIGHT'), node('BitwiseAnd', 'high_odd', [odd, byte(graph, 0xf0)])]);
  const high = node('BitwiseXor', 'high_codes', [signed, byte(graph, 0x88)]);
  return { high: node('Reshape', 'high', [high, shape]), low: node('Reshape', 'low', [low, shape]) };
}

function halves(graph: Graph, prefix: string, pairs: Value): readonly [Value, Value] {
  const names = [`${prefix}.even`, `${prefix}.odd`] as const;
  if (graph.find(names[0]) === undefined) {
    graph.addNode({ opType: 'Split', name: `${prefix}/pairs`, inputs: [pairs], outputs: names, attributes: { axis: int(2), num_outputs: int(2) } });
  }
  return [graph.value(names[0]), graph.value(names[1])];
}

/**
 * x times the transpose of a 4-bit weight [N, K]. UINT4 pairs, low nibble first, are the bytes [N, K/B, B/2] of MatMulNBits,
 * whose zero point is 8 by default.
 *
 * @param inputs x, bytes, float32 scales [N, K/B], and zero points when they are not 8
 */
export function product(graph: Graph, inputs: readonly Value[], shape: { readonly rows: number; readonly columns: number; readonly blockSize: number }, name: string, output: string): Value {
  const attributes = { K: int(shape.columns), N: int(shape.rows), bits: int(4), block_size: int(shape.blockSize), accuracy_level: int(ACCURACY_LEVEL) };
  return graph.addNode({ opType: 'MatMulNBits', domain: 'com.microsoft', name, inputs, outputs: [output], attributes }).output();
}

function constantNodes(graph: Graph, prefix: string) {
  return (opType: string, role: string, inputs: readonly Value[], direction?: string): Value => {
    const attributes: Record<string, Attribute> = direction === undefined ? {} : { direction: { type: 'string', value: direction } };
    const name = `${prefix}.${role}`;
    return graph.find(name) ?? graph.addNode({ opType, name: `${prefix}/${role}`, inputs, outputs: [name], attributes }).output();
  };
}

/** The same bytes, as a tensor of bytes. */
export function bytesView(graph: Graph, name: string, tensor: BlockwiseWeight['codes'], view: readonly number[]): Value {
  return constant(graph, `${name}.bytes`, { ...tensor, dtype: DataType.UINT8, dims: view });
}

function byte(graph: Graph, value: number): Value {
  return constant(graph, `nibble.${value}`, inlineTensor(DataType.UINT8, [], Uint8Array.of(value)));
}

function dims(graph: Graph, name: string, values: readonly number[]): Value {
  return constant(graph, name, int64Tensor(values));
}

function constant(graph: Graph, name: string, tensor: BlockwiseWeight['codes']): Value {
  return graph.find(name) ?? graph.addInitializer(name, tensor);
}
