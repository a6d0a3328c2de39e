/** Which encodings of weights the pipeline can run: the one place that says so. */
import { printable } from '@tundish/diagnostics';
import type { PerTensorEncoding } from '@tundish/graph';
import type { LpbqScales } from '@tundish/native';
import type { TensorEncoding, TensorForm } from '../encodings-formats/document.js';
import { middleOf } from '../encodings-formats/offsets.js';
import { quantizeError } from '../errors.js';
import type { GivenParameter } from './given-parameter.js';

/** A grid that weights are rounded on. */
export type GivenGrid =
  | { readonly kind: 'lpbq'; readonly blockSize: number; readonly scales: LpbqScales }
  | { readonly kind: 'per-channel'; readonly scale: Float32Array }
  | { readonly kind: 'per-tensor'; readonly encoding: PerTensorEncoding };

const RUNS: Readonly<Record<GivenParameter['kind'], string>> = {
  projection: 'LPBQ of 4 bits in blocks of 16, 32 or 64, decompressed to 8',
  head: '8 bits per output channel, symmetric',
  embedding: '8 or 16 bits per tensor',
  gain: '16 bits per tensor',
};
const BLOCK_SIZES: readonly number[] = [16, 32, 64];

/**
 * @throws QUANTIZE_SOURCE_FORM for what the pipeline does not run, ENCODINGS_SHAPE for scales of another weight,
 *   ENCODINGS_FIELD for a scale that float32 does not hold
 */
export function gridOf(parameter: GivenParameter, encoding: TensorEncoding): GivenGrid {
  const { kind, rows, columns } = parameter;
  if (kind === 'projection' && encoding.kind === 'lpbq' && encoding.bits === 4 && encoding.decompressedBits === 8 && BLOCK_SIZES.includes(encoding.blockSize)) {
    const { blockSize, channelScale, blockScale } = encoding;
    expectCount(parameter, 'channels', channelScale.length, rows);
    expectCount(parameter, `blocks of ${blockSize}`, blockScale.length, (rows * columns) / blockSize);
    return { kind: 'lpbq', blockSize, scales: { channelScale: float32(parameter, channelScale), blockScale: Uint8Array.from(blockScale) } };
  }
  if (kind === 'head' && encoding.kind === 'per-channel' && encoding.grid.bits === 8 && encoding.zeroPoint.every((zero) => zero === middleOf(8))) {
    expectCount(parameter, 'channels', encoding.scale.length, rows);
    return { kind: 'per-channel', scale: float32(parameter, encoding.scale) };
  }
  const widths = kind === 'embedding' ? [8, 16] : kind === 'gain' ? [16] : [];
  if (encoding.kind === 'per-tensor' && widths.includes(encoding.grid.bits)) {
    float32(parameter, [encoding.scale]);
    return { kind: 'per-tensor', encoding: unsigned(encoding, false) };
  }
  throw quantizeError('QUANTIZE_SOURCE_FORM', {
    what: `${printable(parameter.name)} has an encoding of ${described(encoding)}`,
    why: `this pipeline runs ${RUNS[kind]} for ${kind === 'head' ? 'the output projection' : `${kind}s`}`,
    fix: 'quantize it in that form where the encodings are made, or let the pipeline quantize the model',
  });
}

/** The same grid on unsigned codes, which the pipeline has for everything of one scale. @param symmetric whether it is so by construction */
export function unsigned({ grid, scale, zeroPoint }: TensorForm, symmetric: boolean): PerTensorEncoding {
  return { kind: 'per-tensor', dtype: grid.bits === 8 ? 'uint8' : 'uint16', scale: Math.fround(scale), zeroPoint, symmetric };
}

/** For messages: `per-channel, 4 bits, asymmetric`. */
function described(encoding: TensorEncoding): string {
  if (encoding.kind === 'float') return `floating point, ${encoding.bits} bits`;
  if (encoding.kind === 'lpbq') return `LPBQ, ${encoding.bits} bits in blocks of ${encoding.blockSize}, decompressed to ${encoding.decompressedBits}`;
  const zeros = encoding.kind === 'per-tensor' ? [encoding.zeroPoint] : encoding.zeroPoint;
  const symmetric = Array.prototype.every.call(zeros, (zero: number) => zero === middleOf(encoding.grid.bits));
  return `${encoding.kind}, ${encoding.grid.bits} bits, ${symmetric ? 'symmetric' : 'asymmetric'}`;
}

function expectCount({ name, rows, columns }: GivenParameter, of: string, found: number, expected: number): void {
  if (found === expected) return;
  throw quantizeError('ENCODINGS_SHAPE', { what: `${printable(name)}: the encoding has ${found} ${of}, the weight [${rows}, ${columns}] has ${expected}`, fix: 'take the encodings that were made for this model' });
}

function float32({ name }: GivenParameter, scales: ArrayLike<number>): Float32Array {
  const rounded = Float32Array.from(scales);
  const wrong = rounded.findIndex((scale) => !(scale > 0 && scale < Infinity));
  if (wrong < 0) return rounded;
  throw quantizeError('ENCODINGS_FIELD', { what: `${printable(name)}: scale ${wrong} is ${scales[wrong]}, which float32 does not hold`, why: 'scales are float32 on every device' });
}
