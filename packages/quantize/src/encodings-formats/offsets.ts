/**
 * The one place where conventions of offsets meet. Inside, a zero point is the unsigned code of 0: real = (code - zeroPoint) * scale.
 * 0.6.1 and 1.0.0 write offset = -zeroPoint, symmetric ones -2^(bits-1). Versions 2 write the zero point of ONNX
 * QuantizeLinear, which for signed codes is less by 2^(bits-1).
 */
import type { Bits, IntegerGrid } from './document.js';

/** Unsigned code of 0 on a symmetric grid: 128 for 8 bits. */
export function middleOf(bits: Bits): number {
  return 2 ** (bits - 1);
}

/** @param offset of 0.6.1 and 1.0.0, from -(2^bits - 1) to 0 */
export function fromOffset(offset: number): number {
  return 0 - offset;
}

export function toOffset(zeroPoint: number): number {
  return 0 - zeroPoint;
}

/** @param zeroPoint as ONNX has it, on the range of the signed or unsigned type */
export function fromOnnxZeroPoint(zeroPoint: number, { bits, signed }: Pick<IntegerGrid, 'bits' | 'signed'>): number {
  return signed ? zeroPoint + middleOf(bits) : zeroPoint;
}

export function toOnnxZeroPoint(zeroPoint: number, { bits, signed }: Pick<IntegerGrid, 'bits' | 'signed'>): number {
  return signed ? zeroPoint - middleOf(bits) : zeroPoint;
}
