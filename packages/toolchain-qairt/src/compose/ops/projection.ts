/** A projection y = x W^T: Conv2d 1 x 1 over [1, 1, AR, C], which is NHWC with W = AR, and W as [1, 1, in, out]. */
import { printable } from '@tundish/diagnostics';
import { DataType, type Projection, type Tensor } from '@tundish/graph';
import type { PlannedQuantization } from '../plan.js';
import type { Composition } from '../composition.js';
import { ELEMENT_CODES } from '../../inspection/element-types.js';
import { composeError } from '../errors.js';
import { tensorParameter, unsigned } from '../parameters.js';
import { unsupportedForm } from './op.js';

/** Axis of the output channels of [1, 1, in, out]. */
const CHANNELS = 3;
const BLOCK_SIZES: readonly number[] = [16, 32, 64, 128];
/** Width of a stored LPBQ scale: integers 1 to 16, kept in bytes. */
const BLOCK_SCALE_BITS = 4;

const CONVOLUTION = [
  tensorParameter('stride', [2], Uint32Array.of(1, 1)),
  tensorParameter('pad_amount', [2, 2], Uint32Array.of(0, 0, 0, 0)),
  unsigned('group', 1),
  tensorParameter('dilation', [2], Uint32Array.of(1, 1)),
];

/** @throws QAIRT_WEIGHT_UNSUPPORTED, QAIRT_OP_UNSUPPORTED */
export function composeProjection(composition: Composition, projection: Projection): void {
  const { weight, matmul, steps, input } = projection;
  if (projection.bias !== undefined) throw unsupportedForm(projection.bias.add, 'the bias of a projection is in floating point', 'build a checkpoint without biases, or with toolchain: host');
  const { tensor } = weight;
  if (steps.map(({ opType }) => opType).join() !== 'DequantizeLinear' || tensor === undefined) throw unsupportedWeight(projection, 'it is not a constant of codes behind one DequantizeLinear');
  const [rows = 0, columns = 0] = tensor.dims;
  const factor = weightFactor(composition, projection);
  const codes = composition.constant(weight.name, {
    element: elementOfCodes(projection, tensor), dims: [1, 1, columns, rows],
    quantization: weightQuantization(composition, projection, tensor, factor), data: { projection: tensor },
  });
  composition.make(matmul.output(), { type: 'Conv2d', inputs: [composition.tensorOf(input), codes], parameters: CONVOLUTION });
}

/** What the output is scaled by and the input is not. */
function weightFactor({ source: { folded: { factors } } }: Composition, { matmul, input }: Projection): number {
  return factors.has(input) ? 1 : factors.get(matmul.output()) ?? 1;
}

function elementOfCodes(projection: Projection, { dtype }: Tensor): number {
  // 4-bit codes are bytes too: the quantization says how many bits count.
  if (dtype === DataType.UINT4 || dtype === DataType.INT8) return ELEMENT_CODES.SFIXED_POINT_8;
  if (dtype === DataType.INT16) return ELEMENT_CODES.SFIXED_POINT_16;
  throw unsupportedWeight(projection, 'its codes are neither UINT4 nor INT8 nor INT16');
}

function weightQuantization(composition: Composition, projection: Projection, tensor: Tensor, factor: number): PlannedQuantization {
  const encoding = composition.source.parameters.get(projection.weight.name);
  const [rows = 0, columns = 0] = tensor.dims;
  const isFour = tensor.dtype === DataType.UINT4;
  const scaled = (scales: Float32Array): Float32Array => (factor === 1 ? scales : scales.map((scale) => scale * factor));
  if (encoding?.kind === 'lpbq' && composition.encodingOf(projection.input) === 'float16') throw unsupportedWeight(projection, 'its scales are those of LPBQ blocks, which the compiler does not multiply with half floats', 'quantize weights per_channel with 4 or 8 bits');
  if (encoding?.kind === 'lpbq' && isFour && encoding.channelScale.length === rows) {
    const { blockSize } = encoding;
    const blocks = columns / blockSize;
    const blockScales = blockScalesOf(projection);
    if (!BLOCK_SIZES.includes(blockSize) || blockScales === undefined || sizeOf(blockScales) !== rows * blocks) throw unsupportedWeight(projection, `its blocks of ${blockSize} do not cut rows of ${columns}, or are none of ${BLOCK_SIZES.join(', ')}`);
    return { kind: 'blockwise', axis: CHANNELS, scales: scaled(encoding.channelScale), blocks, bits: BLOCK_SCALE_BITS, blockScales };
  }
  if (encoding?.kind === 'per-channel' && encoding.scale.length === rows) {
    const scales = scaled(encoding.scale);
    return isFour ? { kind: 'bitwidth_axis', bits: 4, axis: CHANNELS, scales, offsets: new Int32Array(rows) } : { kind: 'axis', axis: CHANNELS, scales };
  }
  if (encoding?.kind === 'per-block') throw unsupportedWeight(projection, 'its blocks have float scales');
  throw unsupportedWeight(projection, encoding === undefined ? 'it has no encoding' : `its ${encoding.kind} encoding does not fit [${tensor.dims}]`);
}

/** The scale of a block is the product Cast(block scale) * channel scale. */
function blockScalesOf({ steps }: Projection): Tensor | undefined {
  return steps[0]?.input(1).producer?.inputs[0]?.producer?.inputs[0]?.tensor;
}

function sizeOf(tensor: Tensor): number {
  return tensor.kind === 'inline' ? tensor.data.length : tensor.length;
}

function unsupportedWeight({ weight }: Projection, why: string, fix = `quantize weights by lpbq in blocks of ${BLOCK_SIZES.join(', ')}, or per_channel with 4 or 8 bits`): Error {
  return composeError('QAIRT_WEIGHT_UNSUPPORTED', { what: `the weight ${printable(weight.name)} cannot be multiplied`, why, fix });
}
