/** Recognises the two forms in which quantized weights reach the host, and checks that they can be read as they lie. */
import { DataType, type Node, type ParameterEncoding, type Tensor, type Value, dataTypeName } from '@tundish/graph';
import { BLOCK_SIZES } from '../block-sizes.js';
import { hostError } from '../errors.js';

/** `DequantizeLinear(UINT4 [N,K], S [N,K/B], 8, axis 1, block_size B)`. */
export interface BlockwiseWeight {
  readonly kind: 'blockwise';
  readonly name: string;
  readonly codes: Tensor;
  readonly scale: Value;
  readonly blockSize: number;
  readonly rows: number;
  readonly columns: number;
}

/** `DequantizeLinear(INT8 [N,K], s [N], axis 0)`. */
export interface ChannelWeight {
  readonly kind: 'per-channel';
  readonly name: string;
  readonly codes: Tensor;
  readonly scale: Value;
  readonly rows: number;
  readonly columns: number;
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
  const head = { name: data.name, codes, scale: node.input(1), rows, columns };
  const encoding = parameters.get(data.name);
  if (blockSize === 0 && codes.dtype === DataType.INT8 && axis === 0 && columns % 16 === 0) {
    assertZeroPoint(node, encoding?.kind === 'per-channel', 0);
    return { kind: 'per-channel', ...head };
  }
  if (blockSize === 0) return undefined;
  const fits = codes.dtype === DataType.UINT4 && axis === 1 && BLOCK_SIZES.includes(blockSize) && columns % blockSize === 0;
  if (!fits) throw unsupported(node, `${dataTypeName(codes.dtype)} [${codes.dims}], blocks of ${blockSize} along axis ${axis}`);
  assertZeroPoint(node, encoding?.kind === 'lpbq', TWO_EIGHTS);
  return { kind: 'blockwise', blockSize, ...head };
}

/** @throws HOST_WEIGHT_FORM for a blockwise weight that nothing lowers: it would be dequantized again on every run */
export function assertCheapConstant(node: Node): void {
  if (node.opType !== 'DequantizeLinear' || (node.int('block_size') ?? 0) === 0) return;
  throw unsupported(node, `read by ${node.output().consumers.map((reader) => reader.opType).join(', ') || 'nothing'}`);
}

/** Symmetric codes only: said by the encoding, or seen in an inline zero point. The file of zero points is not opened here. */
function assertZeroPoint(node: Node, symmetric: boolean, byte: number): void {
  const zeroPoint = node.inputs[2]?.tensor;
  if (symmetric || (node.inputs[2] === undefined && byte === 0)) return;
  if (zeroPoint?.kind === 'inline' && zeroPoint.data.every((found) => found === byte)) return;
  throw unsupported(node, 'neither an encoding nor an inline zero point says that its codes are symmetric');
}

function unsupported(node: Node, why: string): Error {
  return hostError('HOST_WEIGHT_FORM', {
    what: `the quantized weight of ${node.name} cannot be lowered`,
    why,
    fix: `weights are UINT4 [out,in] in blocks of ${BLOCK_SIZES.join(', ')} along in with zero point 8, read through Transpose by MatMul, or by Gather`,
  });
}
