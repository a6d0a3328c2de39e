/**
 * From ranges to encodings. Activations are uint16 asymmetric min-max, the cache is uint8 with zero point 128, Softmax and
 * Sigmoid are fixed to [0,1], and masked attention scores saturate 20 below the smallest score (a masked softmax without
 * extra ops: at -20 a position keeps 2e-9 of the weight of the smallest visible score). Every step is rounded to float32,
 * in the order of AIMET 2.42, as the weight kernels do.
 */
import type { PerTensorEncoding } from '@tundish/graph';
import { quantizeError } from '../errors.js';

/** A closed interval that a value was seen in. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Smallest difference of two codes, the float32 epsilon; keeps a dead tensor (all zero) representable. */
export const SMALLEST_SCALE = 2 ** -23;
const UINT16_STEPS = 65535;

const { fround } = Math;

/** Distance below the smallest visible score at which masked scores saturate. */
export const MASK_MARGIN = 20;

/** Smallest interval that holds both. */
export function unite(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/**
 * The range of a value, when an encoding can be made of it.
 *
 * @throws QUANTIZE_RANGE_NOT_FINITE
 */
export function requireFinite(value: string, range: Range): Range {
  // The difference too: a scale is made of it, in float32.
  if (Number.isFinite(range.min) && Number.isFinite(range.max) && Number.isFinite(fround(range.max - range.min))) return range;
  throw quantizeError('QUANTIZE_RANGE_NOT_FINITE', {
    what: `${value} ranges over [${range.min}, ${range.max}] on the calibration text`,
    why: 'the checkpoint overflows, or its weights are damaged',
    fix: 'evaluate the checkpoint after load; a healthy one has finite activations',
  });
}

/** Unsigned codes over [min, max] widened to hold 0, which gets a code of its own exactly. */
export function asymmetricUnsigned(range: Range, bits: 8 | 16): PerTensorEncoding {
  const steps = 2 ** bits - 1;
  const { low, high, isNarrow } = withZero(range, steps);
  const top = isNarrow ? fround(high + steps * SMALLEST_SCALE) : high;
  const scale = Math.max(fround(fround(top - low) / steps), SMALLEST_SCALE);
  const zeroPoint = Math.min(Math.max(roundHalfEven(fround(-low / scale)), 0), steps);
  return { kind: 'per-tensor', dtype: bits === 8 ? 'uint8' : 'uint16', scale, zeroPoint, symmetric: false };
}

/** The range with 0 in it, and whether its scale would be below the floor: AIMET widens such a range by the floor. */
function withZero(range: Range, steps: number): { readonly low: number; readonly high: number; readonly isNarrow: boolean } {
  const low = fround(Math.min(range.min, 0));
  const high = fround(Math.max(range.max, 0));
  return { low, high, isNarrow: fround(fround(high - low) / steps) < SMALLEST_SCALE };
}

/** The reals of the first and the last code of an unsigned grid. */
export function representedRange({ dtype, scale, zeroPoint }: PerTensorEncoding): Range {
  return { min: fround(-zeroPoint * scale), max: fround(((dtype === 'uint8' ? 255 : UINT16_STEPS) - zeroPoint) * scale) };
}

/** The encoding of activations. */
export function asymmetricUint16(range: Range): PerTensorEncoding {
  return asymmetricUnsigned(range, 16);
}

/**
 * Symmetric codes on the full grid, -128..127 or -32768..32767, stored unsigned with the zero point in the middle.
 *
 * @param largest code that the range may reach, when not the last one
 */
export function symmetricUnsigned(range: Range, bits: 8 | 16, largest: number = 2 ** (bits - 1) - 1): PerTensorEncoding {
  const [positive, negative] = [2 ** (bits - 1) - 1, 2 ** (bits - 1)];
  const { low, high, isNarrow } = withZero(range, positive + negative);
  const widening = isNarrow ? SMALLEST_SCALE : 0;
  const delta = Math.max(fround(fround(high + positive * widening) / largest), fround(-fround(low - negative * widening) / negative));
  const scale = Math.max(fround(fround(fround(positive * delta) + fround(negative * delta)) / (positive + negative)), SMALLEST_SCALE);
  return { kind: 'per-tensor', dtype: bits === 8 ? 'uint8' : 'uint16', scale, zeroPoint: negative, symmetric: true };
}

/** Largest 16-bit code whose halves are 8-bit integers: 127 * 256 + 127. */
export const LARGEST_SPLIT_CODE = 0x7f7f;

/** Cache encoding: symmetric; 16-bit codes of the range split into signed halves, as accelerators multiply them. */
export function symmetricCache(range: Range, bits: 8 | 16): PerTensorEncoding {
  return bits === 8 ? symmetricUnsigned(range, 8) : symmetricUnsigned(range, 16, LARGEST_SPLIT_CODE);
}

/** Outputs of Softmax and Sigmoid: [0,1], known without measuring. */
export function unitInterval(): PerTensorEncoding {
  return { kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(1 / UINT16_STEPS), zeroPoint: 0, symmetric: false };
}

/** Scores after the mask: the visible range, and MASK_MARGIN below it. */
export function scoresWithMask(scores: Range): PerTensorEncoding {
  return asymmetricUint16({ min: scores.min - MASK_MARGIN, max: scores.max });
}

/**
 * The additive mask value of a model with these score ranges: it must push the largest score below the smallest by
 * MASK_MARGIN. A multiple of 50, at least 50 in magnitude.
 */
export function maskValueFor(scores: readonly Range[]): number {
  const span = scores.reduce((widest, range) => Math.max(widest, range.max - range.min), 0);
  return -Math.max(50, Math.ceil((span + MASK_MARGIN) / 50) * 50);
}

/** Mask input: only the codes 0 (masked) and 65535 (visible, exactly 0) are used. */
export function maskInput(maskValue: number): PerTensorEncoding {
  return { kind: 'per-tensor', dtype: 'uint16', scale: Math.fround(-maskValue / UINT16_STEPS), zeroPoint: UINT16_STEPS, symmetric: false };
}

/** Nearest integer, ties to the even one, as ONNX QuantizeLinear rounds. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
