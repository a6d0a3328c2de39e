/** Lowers products of codes to the operators of domain `tundish`, which sum integers and round once, or as a device does, without widening anything. */
import { type Attribute, DataType, type Node, type ParameterEncoding, type PerTensorEncoding, type Value } from '@tundish/graph';
import { OPERATOR_DOMAIN } from '../operator-domain.js';
import type { Coded } from './coded.js';
import { type LoweringSite, bytesView, linearWeight, unitIntegers } from './linear.js';
import type { BlockwiseWeight, ChannelWeight } from './weight-expression.js';

/** What lowering a product of codes needs of the graph under construction. */
export interface ProductSite extends LoweringSite {
  codedOf(value: Value): Coded | undefined;
  encodingOf(value: Value): PerTensorEncoding | undefined;
  /** What products become: CodeLinear and CodeMatMul, or HtpLinear and HtpMatMul. */
  readonly products: 'Code' | 'Htp';
}

/** The value that a product makes: its own output, or that of a multiplication by `factor` behind it, which scales the first operand. */
export interface ProductTarget {
  readonly target: Value;
  readonly factor: number;
}

/** Columns that a sum of 32 bits holds for sure. */
const MOST_COLUMNS = 65_536;
const CACHE_TYPES: ReadonlySet<PerTensorEncoding['dtype']> = new Set(['uint8', 'uint16']);
const int = (value: number): Attribute => ({ type: 'int', value });
const float = (value: number): Attribute => ({ type: 'float', value });

/**
 * The codes, named `output`, of a MatMul whose operands are there as codes: uint16 times a quantized weight, or uint16 times
 * uint8 or uint16, as a cache has them. Undefined for every other node, and where the output is not on a grid of 16 bits.
 */
export function lowerCodeProduct(site: ProductSite, node: Node, output: string, { target, factor }: ProductTarget = { target: node.output(), factor: 1 }): Coded | undefined {
  const around = codesAround(site, node, target);
  if (around === undefined) return undefined;
  const { x, encoding } = around;
  const grids = { x_scale: float(factor === 1 ? x.encoding.scale : Math.fround(x.encoding.scale * factor)), x_zero: int(x.encoding.zeroPoint), y_scale: float(encoding.scale), y_zero: int(encoding.zeroPoint) };
  const codes = productWithWeight(site, node, x, grids, output) ?? productOfCodes(site, node, x, grids, output);
  if (codes === undefined) return undefined;
  codes.dtype = DataType.UINT16;
  codes.shape = target.shape;
  return { codes, encoding };
}

/** Whether `lowerCodeProduct` makes an operator of this node for the sake of its weight. */
export function isCodeLinear(site: ProductSite, node: Node): boolean {
  return codesAround(site, node, node.output()) !== undefined && exactWeight(site, node) !== undefined;
}

/** The codes that come in and the grid that goes out, both of 16 bits. */
function codesAround(site: ProductSite, node: Node, target: Value): { readonly x: Coded; readonly encoding: PerTensorEncoding } | undefined {
  const x = node.opType === 'MatMul' ? site.codedOf(node.input(0)) : undefined;
  const encoding = site.encodingOf(target);
  return x?.encoding.dtype === 'uint16' && encoding?.dtype === 'uint16' ? { x, encoding } : undefined;
}

type Grids = Readonly<Record<string, Attribute>>;

function productWithWeight(site: ProductSite, node: Node, x: Coded, attributes: Grids, output: string): Value | undefined {
  const weight = exactWeight(site, node);
  if (weight === undefined) return undefined;
  return site.graph.addNode({ opType: `${site.products}Linear`, domain: OPERATOR_DOMAIN, name: node.name, inputs: [x.codes, ...operandsOf(site, weight)], outputs: [output], attributes }).output();
}

/** A weight that the operator reads, with the scales of its blocks where they are integers under a scale of the channel. */
type ExactWeight = ChannelWeight | (BlockwiseWeight & { readonly scales: { readonly channel: Value; readonly block: Value } });

/** The weight of `node`, unless it is too wide, or blocks have float scales. */
function exactWeight(site: LoweringSite, node: Node): ExactWeight | undefined {
  const weight = linearWeight(site, node);
  if (weight === undefined || weight.columns > MOST_COLUMNS) return undefined;
  if (weight.kind === 'per-channel') return weight;
  const scales = blockIntegers(weight, site.parameters.get(weight.name));
  return scales === undefined ? undefined : { ...weight, scales };
}

/** Codes and scales as they lie in the files of quantize. */
function operandsOf(site: ProductSite, weight: ExactWeight): Value[] {
  const { kind, bits, name, codes, rows, columns } = weight;
  if (kind === 'blockwise') return [packedRows(site, weight), site.resolve(weight.scales.channel), site.resolve(weight.scales.block)];
  if (bits === 8) return [copied(site, name, codes), site.resolve(weight.scale)];
  return [packedRows(site, weight), site.resolve(weight.scale), unitIntegers(site.graph, rows, columns / largestBlock(columns))];
}

function packedRows({ graph }: ProductSite, { name, codes, rows, columns }: BlockwiseWeight | ChannelWeight): Value {
  return bytesView(graph, name, codes, [rows, columns / 2]);
}

/** The fewest blocks that the operator takes: of 16, of 32 or of a multiple of 64 columns. */
function largestBlock(columns: number): number {
  return columns % 64 === 0 ? columns : columns % 32 === 0 ? 32 : 16;
}

/** LPBQ writes the scale of a block as Cast(integer) * channel scale. */
function blockIntegers({ scale }: BlockwiseWeight, encoding: ParameterEncoding | undefined): { readonly channel: Value; readonly block: Value } | undefined {
  const product = encoding?.kind === 'lpbq' ? scale.producer : undefined;
  if (product?.opType !== 'Mul') return undefined;
  const widened = product.input(0).producer;
  const block = widened?.opType === 'Cast' ? widened.input(0) : undefined;
  const channel = product.input(1);
  return block?.tensor?.dtype === DataType.UINT8 && channel.tensor?.dtype === DataType.FLOAT ? { block, channel } : undefined;
}

function productOfCodes(site: ProductSite, node: Node, a: Coded, grids: Grids, output: string): Value | undefined {
  const b = site.codedOf(node.input(1));
  if (b === undefined || !CACHE_TYPES.has(b.encoding.dtype) || !isBatched(node.input(0).shape, node.input(1).shape)) return undefined;
  const attributes = { ...grids, w_scale: float(b.encoding.scale), w_zero: int(b.encoding.zeroPoint) };
  return site.graph.addNode({ opType: `${site.products}MatMul`, domain: OPERATOR_DOMAIN, name: node.name, inputs: [a.codes, b.codes], outputs: [output], attributes }).output();
}

/** [..., G, M, K] times [..., 1, K, N]: leading dimensions are equal, then those of b are 1. */
function isBatched(a: Value['shape'], b: Value['shape']): boolean {
  if (a === undefined || b === undefined || a.length !== b.length || a.length < 2) return false;
  const leading = a.length - 2;
  let shared = 0;
  while (shared < leading && a[shared] === b[shared]) shared++;
  return b.slice(shared, leading).every((dim) => dim === 1) && a.at(-1) === b.at(-2) && Number(a.at(-1)) <= MOST_COLUMNS;
}

function copied(site: ProductSite, name: string, codes: ChannelWeight['codes']): Value {
  return site.graph.find(name) ?? site.graph.addInitializer(name, codes);
}
