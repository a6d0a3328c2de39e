/**
 * The lowering that predicts a Hexagon processor: each operation that its compiler gets computes on codes by the laws of the
 * vendor's emulator (native/src/htp/laws.h), at the places and with the encodings of the composed graph.
 */
import { printable } from '@tundish/diagnostics';
import { type Attribute, type Node, type PerTensorEncoding, type RotaryEmbedding, type Value, matchRotaryEmbedding, movedInputs } from '@tundish/graph';
import { hostError } from '../errors.js';
import { OPERATOR_DOMAIN } from '../operator-domain.js';
import type { RotaryForm } from './arithmetic.js';
import type { Coded } from './coded.js';
import { type ProductSite, lowerCodeProduct } from './code-product.js';
import { codeType, sameGrid } from './grid-constants.js';
import { scaledProduct } from './scaled-product.js';
import { uncovered } from './uncovered.js';

/** What this lowering needs of the graph under construction. */
export interface HtpSite extends ProductSite {
  /** The codes of a value that an operation made or that enters the graph; undefined for constants. */
  codesOf(value: Value): Coded | undefined;
  isOutput(value: Value): boolean;
  isConstant(value: Value): boolean;
  setCodes(value: Value, coded: Coded): void;
  /** Whether a rotary embedding is one operation of the composed graph. */
  readonly rotaryEmbedding: RotaryForm;
}

type Lower = (site: HtpSite, node: Node) => void;

/** Grids that the processor gives these results, whatever it is told; the steps are those of the calibrated grid. */
const FIXED: Readonly<Record<string, { readonly scale: number; readonly steps: readonly number[] }>> = {
  Sigmoid: { scale: 1 / 65_536, steps: [65_535, 65_536] },
  Softmax: { scale: Math.fround(1 / 65_535), steps: [65_535] },
};
/** The default of ONNX. */
const EPSILON = 1e-5;

const LOWER: Readonly<Record<string, Lower>> = {
  Add: (site, node) => binary(site, node, 'HtpAdd'),
  Sub: (site, node) => binary(site, node, 'HtpSub'),
  Mul: (site, node) => binary(site, node, 'HtpMul'),
  MatMul: matmul,
  RMSNormalization: rmsNorm,
  Sigmoid: fixedGrid,
  Softmax: fixedGrid,
};

const int = (value: number): Attribute => ({ type: 'int', value });
const float = (value: number): Attribute => ({ type: 'float', value });

/**
 * True when the outputs of `node` are there as codes; false for rows of an embedding, which are exact in floating point.
 *
 * @throws HOST_NUMERICS for an operation that the processor is not known to have, or for a form of it
 * @throws HOST_ENCODING_MISSING
 */
export function lowerAsHtp(site: HtpSite, node: Node): boolean {
  // The product in front of a multiplication by a constant made its result already.
  if (site.codedOf(node.output()) !== undefined) return true;
  if (node.opType === 'DequantizeLinear' || (node.opType === 'Gather' && site.isConstant(node.input(0)))) return false;
  // The operations inside are lowered already; nobody reads them, and they are pruned.
  const rotation = site.rotaryEmbedding === 'operation' ? matchRotaryEmbedding(node) : undefined;
  if (rotation !== undefined) rotate(site, node, rotation);
  else if (movedInputs(node) !== undefined) move(site, node);
  else if (node.domain === '' && Object.hasOwn(LOWER, node.opType)) LOWER[node.opType]?.(site, node);
  else throw unsupported(node, 'no law is known for it');
  return true;
}

function binary(site: HtpSite, node: Node, opType: string): void {
  const [a, b] = [operand(site, node, 0), operand(site, node, 1)];
  const y = gridOf(site, node, node.output());
  emit(site, node, { opType, inputs: [a.codes, b.codes], attributes: { ...grid('a', a.encoding), ...grid('b', b.encoding), ...grid('y', y) } }, y);
}

function matmul(site: HtpSite, node: Node): void {
  const scaled = scaledProduct(node, (value) => site.isOutput(value));
  const target = scaled?.output ?? node.output();
  const coded = lowerCodeProduct(site, node, nameOf(site, target), { target, factor: scaled?.factor ?? 1 });
  if (coded === undefined) throw unsupported(node, 'it is no product of codes of 16 bits with a quantized weight (lpbq or per_channel) or with a cache');
  site.setCodes(target, coded);
}

function rotate(site: HtpSite, node: Node, { x, cos, sin }: RotaryEmbedding): void {
  const [source, cosines, sines] = [x, cos, sin].map((value) => codedOperand(site, node, value)) as [Coded, Coded, Coded];
  const y = gridOf(site, node, node.output());
  const attributes = { ...grid('x', source.encoding), ...grid('cos', cosines.encoding), ...grid('sin', sines.encoding), ...grid('y', y) };
  emit(site, node, { opType: 'HtpRotary', inputs: [source.codes, cosines.codes, sines.codes], attributes }, y);
}

function rmsNorm(site: HtpSite, node: Node): void {
  const x = operand(site, node, 0);
  const rank = node.input(0).shape?.length ?? 0;
  if (((node.int('axis') ?? -1) + rank) % rank !== rank - 1) throw unsupported(node, 'it does not go along the last axis');
  const y = gridOf(site, node, node.output());
  emit(site, node, { opType: 'HtpRmsNorm', inputs: [x.codes, site.resolve(node.input(1))], attributes: { ...grid('x', x.encoding), ...grid('y', y), epsilon: float(node.float('epsilon') ?? EPSILON) } }, y);
}

function fixedGrid(site: HtpSite, node: Node): void {
  const x = operand(site, node, 0);
  const rank = node.input(0).shape?.length ?? 0;
  if (node.opType === 'Softmax' && ((node.int('axis') ?? -1) + rank) % rank !== rank - 1) throw unsupported(node, 'it does not go along the last axis');
  const { scale, steps } = FIXED[node.opType] as (typeof FIXED)[string];
  const given = site.encodingOf(node.output());
  if (given !== undefined && (given.dtype !== 'uint16' || given.zeroPoint !== 0 || !steps.some((count) => Math.abs(given.scale * count - 1) < 1e-6))) {
    throw unsupported(node, `its result is on the grid ${given.dtype} scale ${given.scale} zero point ${given.zeroPoint}, and the law holds for 1/${steps.join(' or 1/')} from 0`);
  }
  emit(site, node, { opType: `Htp${node.opType}`, inputs: [x.codes], attributes: grid('x', x.encoding) }, { kind: 'per-tensor', dtype: 'uint16', scale, zeroPoint: 0, symmetric: false });
}

/** Codes are moved as they are; where the result has a grid of its own they are converted behind that. */
function move(site: HtpSite, node: Node): void {
  const sources = (movedInputs(node) ?? []).map((_, i) => operand(site, node, i, ['uint8', 'uint16']));
  const first = sources[0] as Coded;
  if (!sources.every(({ encoding }) => sameGrid(encoding, first.encoding))) throw unsupported(node, 'its inputs are on several grids, and the processor joins codes as they are');
  const inputs = node.inputs.map((input, i) => sources[i]?.codes ?? (input === undefined ? undefined : site.resolve(input)));
  const isKept = node.outputs.map((output) => sameGrid(site.encodingOf(output) ?? first.encoding, first.encoding));
  const outputs = node.outputs.map((output, i) => (isKept[i] === true ? nameOf(site, output) : `${output.name}_moved`));
  const moved = site.graph.addNode({ opType: node.opType, name: node.name, inputs, outputs, attributes: Object.fromEntries(node.attributes) });
  node.outputs.forEach((output, i) => {
    const codes = moved.output(i);
    [codes.dtype, codes.shape] = [codeType(first.encoding), output.shape];
    if (isKept[i] === true) site.setCodes(output, { codes, encoding: first.encoding });
    else convert(site, node, output, { codes, encoding: first.encoding });
  });
}

function convert(site: HtpSite, node: Node, output: Value, { codes, encoding }: Coded): void {
  const y = gridOf(site, node, output);
  if (encoding.dtype !== 'uint16' || (y.dtype !== 'uint8' && y.dtype !== 'uint16')) throw unsupported(node, `codes of ${encoding.dtype} are converted to ${y.dtype}`);
  const made = site.graph.addNode({ opType: y.dtype === 'uint8' ? 'HtpNarrow' : 'HtpConvert', domain: OPERATOR_DOMAIN, name: `${output.name}/convert`, inputs: [codes], outputs: [nameOf(site, output)], attributes: { ...grid('x', encoding), ...grid('y', y) } }).output();
  [made.dtype, made.shape] = [codeType(y), output.shape];
  site.setCodes(output, { codes: made, encoding: y });
}

interface Operation {
  readonly opType: string;
  readonly inputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

function emit(site: HtpSite, node: Node, { opType, inputs, attributes }: Operation, encoding: PerTensorEncoding): void {
  const output = node.output();
  const codes = site.graph.addNode({ opType, domain: OPERATOR_DOMAIN, name: node.name, inputs, outputs: [nameOf(site, output)], attributes }).output();
  [codes.dtype, codes.shape] = [codeType(encoding), output.shape];
  site.setCodes(output, { codes, encoding });
}

function nameOf(site: HtpSite, value: Value): string {
  return site.isOutput(value) ? value.name : `${value.name}_codes`;
}

function operand(site: HtpSite, node: Node, index: number, types?: readonly PerTensorEncoding['dtype'][]): Coded {
  return codedOperand(site, node, node.input(index), types);
}

function codedOperand(site: HtpSite, node: Node, value: Value, types: readonly PerTensorEncoding['dtype'][] = ['uint16']): Coded {
  const coded = site.codesOf(value);
  if (coded === undefined) throw unsupported(node, `its operand ${printable(value.name)} has no codes: it is a constant in floating point`);
  if (!types.includes(coded.encoding.dtype) || coded.encoding.headScales !== undefined) throw unsupported(node, `its operand ${printable(value.name)} has codes of ${coded.encoding.dtype}${coded.encoding.headScales === undefined ? '' : ' with scales of heads'}`);
  return coded;
}

function gridOf(site: HtpSite, node: Node, value: Value): PerTensorEncoding {
  const encoding = site.encodingOf(value);
  if (encoding === undefined) throw uncovered([value.name]);
  if (encoding.headScales !== undefined) throw unsupported(node, `${printable(value.name)} has scales of heads`);
  return encoding;
}

function grid(of: string, { scale, zeroPoint }: PerTensorEncoding): Record<string, Attribute> {
  return { [`${of}_scale`]: float(scale), [`${of}_zero`]: int(zeroPoint) };
}

function unsupported(node: Node, why: string): Error {
  return hostError('HOST_NUMERICS', {
    what: `${node.opType} ${printable(node.name)} cannot be computed as a Hexagon processor does`,
    why,
    fix: `leave convert.numerics at exact; htp knows products of codes, ${Object.keys(LOWER).join(', ')} and what moves codes`,
  });
}
