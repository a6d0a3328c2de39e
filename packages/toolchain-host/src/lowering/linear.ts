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
  const blockSize = weight.kind === 'blockwise' ? weight.blockSize : ([128, 64, 32, 16].find((size) => weight.columns % size === 0) as number);
  const weighed = { ...weight, blockSize, scale: blockScales(site, weight, blockSize) };
  if (weight.bits === 8) return twoProducts(site, x, weighed, node.name, output);
  return product(site.graph, [x, packedBytes(site.graph, weighed), weighed.scale], weighed, node.name, output);
}

/** A quantized weight with one scale a block: `scale` [N, K/blockSize] of the graph under construction. */
type BlockScaledWeight = Omit<BlockwiseWeight, 'kind'>;

/** Scales of channels are repeated for each block, as a constant expression. */
function blockScales(site: LoweringSite, weight: BlockwiseWeight | ChannelWeight, blockSize: number): Value {
  if (weight.kind === 'blockwise') return site.resolve(weight.scale);
  const { graph } = site;
  const { name, rows, columns } = weight;
  const node = constantNodes(graph, name);
  const column = node('Reshape', 'scale_column', [site.resolve(weight.scale), dims(graph, `${name}.scale_dims`, [rows, 1])]);
  return node('Expand', 'block_scales', [column, dims(graph, `${name}.block_dims`, [rows, columns / blockSize])]);
}

/** The bytes of 4-bit codes [N, K/B, B/2]. */
export function packedBytes(graph: Graph, { name, codes, rows, columns, blockSize }: Pick<BlockwiseWeight, 'name' | 'codes' | 'rows' | 'columns' | 'blockSize'>): Value {
  return bytesView(graph, name, codes, [rows, columns / blockSize, blockSize / 2]);
}

/**
 * int8 w = 16 * h + l with h in [-8,7] and l in [0,15]: two 4-bit products with float32 accumulation, exact in the weight.
 * (MatMulNBits with 8 bits at level 1 widens the whole matrix on every call.) The planes are constant expressions over the
 * same bytes; compile folds them, so that convert writes no weight.
 */
function twoProducts(site: LoweringSite, x: Value, weight: BlockScaledWeight, name: string, output: string): Value {
  const { graph } = site;
  const { rows, columns, blockSize, scale } = weight;
  const blocks = columns / blockSize;
  const planes = nibblePlanes(graph, weight, [rows, blocks, blockSize / 2]);
  const node = constantNodes(graph, weight.name);
  const high = node('Mul', 'high_scale', [scale, constant(graph, 'nibble.16f', floatTensor([16], []))]);
  const zero = node('Expand', 'low_zero', [byte(graph, 0), dims(graph, `${weight.name}.zero_dims`, [rows, Math.ceil(blocks / 2)])]);
  const parts = [
    product(graph, [x, planes.high, high], weight, `${name}/high`, `${output}_high`),
    product(graph, [x, planes.low, scale, zero], weight, `${name}/low`, `${output}_low`),
  ];
  return graph.addNode({ opType: 'Add', name, inputs: parts, outputs: [output] }).output();
}

/** Low nibbles of two neighbours in one byte, and high nibbles as codes h + 8, both with the even column in the low half. */
function nibblePlanes(graph: Graph, weight: BlockScaledWeight, view: readonly number[]): { readonly high: Value; readonly low: Value } {
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

/** uint8 1 [N, blocks], one tensor for all weights of this shape: integers of blocks where a channel has one scale. */
export function unitIntegers(graph: Graph, rows: number, blocks: number): Value {
  return constant(graph, `integers.${rows}x${blocks}`, inlineTensor(DataType.UINT8, [rows, blocks], new Uint8Array(rows * blocks).fill(1)));
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
