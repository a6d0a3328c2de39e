/** Recognises the forms in which quantized weights reach the host, and checks that they can be read as they lie. */
import { DataType, type Node, type ParameterEncoding, type Tensor, type Value, dataTypeName } from '@tundish/graph';
import { BLOCK_SIZES } from '../block-sizes.js';
import { hostError } from '../errors.js';

/** A symmetric weight [N,K]: UINT4, code + 8, two a byte, or INT8. */
interface WeightCodes {
  readonly name: string;
  readonly codes: Tensor;
  readonly bits: 4 | 8;
  readonly scale: Value;
  readonly rows: number;
  readonly columns: number;
}

/** `DequantizeLinear(codes, S [N,K/B], axis 1, block_size B)`. */
export interface BlockwiseWeight extends WeightCodes {
  readonly kind: 'blockwise';
  readonly blockSize: number;
}

/** `DequantizeLinear(codes, s [N], axis 0)`. */
export interface ChannelWeight extends WeightCodes {
  readonly kind: 'per-channel';
}

const TWO_EIGHTS = 0x88;

/** The quantized matrix [N,K] that `value` dequantizes, or undefined when it is something else. @throws HOST_WEIGHT_FORM */
export function quantizedWeight(value: Value, parameters: ReadonlyMap<string, ParameterEncoding>): BlockwiseWeight | ChannelWeight | undefined {
  const node = value.producer;
  if (node?.opType !== 'DequantizeLinear') return undefined;
  const data = node.input(0);
  const codes = data.tensor;
  const [rows, columns] = codes?.dims ?? [];
  if (codes === undefined || rows === undefined || columns === undefined || codes.dims.length !== 2) return undefined;
  const blockSize = node.int('block_size') ?? 0;
  const axis = ((node.int('axis') ?? 1) + 2) % 2;
  const bits = codes.dtype === DataType.UINT4 ? 4 : codes.dtype === DataType.INT8 ? 8 : undefined;
  const kind = parameters.get(data.name)?.kind;
  if (blockSize === 0) {
    if (bits === undefined || axis !== 0 || columns % 16 !== 0) return undefined;
    assertZeroPoint(node, kind === 'per-channel', bits);
    return { kind: 'per-channel', name: data.name, codes, bits, scale: node.input(1), rows, columns };
  }
  if (bits === undefined || axis !== 1 || !BLOCK_SIZES.includes(blockSize) || columns % blockSize !== 0) throw unsupported(node, `${dataTypeName(codes.dtype)} [${codes.dims}], blocks of ${blockSize} along axis ${axis}`);
  assertZeroPoint(node, kind === 'lpbq' || kind === 'per-block', bits);
  return { kind: 'blockwise', name: data.name, codes, bits, blockSize, scale: node.input(1), rows, columns };
}

/** @throws HOST_WEIGHT_FORM for a blockwise weight that nothing lowers: it would be dequantized again on every run */
export function assertCheapConstant(node: Node): void {
  if (node.opType !== 'DequantizeLinear' || (node.int('block_size') ?? 0) === 0) return;
  throw unsupported(node, `read by ${node.output().consumers.map((reader) => reader.opType).join(', ') || 'nothing'}`);
}

/** Symmetric codes only: said by the encoding, or seen in an inline zero point. The file of zero points is not opened here. */
function assertZeroPoint(node: Node, symmetric: boolean, bits: 4 | 8): void {
  const zeroPoint = node.inputs[2]?.tensor;
  const byte = bits === 4 ? TWO_EIGHTS : 0;
  if (symmetric || (node.inputs[2] === undefined && byte === 0)) return;
  if (zeroPoint?.kind === 'inline' && zeroPoint.data.every((found) => found === byte)) return;
  throw unsupported(node, 'neither an encoding nor an inline zero point says that its codes are symmetric');
}

function unsupported(node: Node, why: string): Error {
  return hostError('HOST_WEIGHT_FORM', {
    what: `the quantized weight of ${node.name} cannot be lowered`,
    why,
    fix: `weights are UINT4 with zero point 8, or INT8, [out,in] in blocks of ${BLOCK_SIZES.join(', ')} along in, read through Transpose by MatMul; UINT4 also by Gather`,
  });
}
