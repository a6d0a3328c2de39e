/** 16-bit floats: widening, which is exact, since every value of both formats is a float32; and rounding to binary16. */

/** Widens 16-bit floats into an array of as many float32; NaN payloads are kept. */
export interface HalfDecoder {
  bfloat16(halves: Uint16Array, out: Float32Array): void;
  float16(halves: Uint16Array, out: Float32Array): void;
}

export const typescriptDecoder: HalfDecoder = {
  // The upper half of a float32.
  bfloat16(halves, out) {
    const bits = bitsOf(out);
    for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  },
  float16(halves, out) {
    const [bits, table] = [bitsOf(out), float16Table()];
    for (let i = 0; i < halves.length; i++) bits[i] = table[halves[i] as number] as number;
  },
};

/** Of an array of the bits of IEEE 754 binary16. */
export function widenFloat16(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length);
  typescriptDecoder.float16(halves, floats);
  return floats;
}

function bitsOf({ buffer, byteOffset, length }: Float32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

let table: Uint32Array | undefined;

/** float32 bits of all 65,536 float16 values: 256 KB, made once, faster than arithmetic on every element. */
function float16Table(): Uint32Array {
  table ??= Uint32Array.from({ length: 65_536 }, (_, half) => widen(half));
  return table;
}

function widen(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return (sign | 0x7f800000 | (fraction << 13)) >>> 0;
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  // Subnormal: shift the leading one into place; 2^-24 is the unit.
  const shift = Math.clz32(fraction) - 21;
  return (sign | ((113 - shift) << 23) | ((fraction << (13 + shift)) & 0x7fffff)) >>> 0;
}

/** Of binary16: 65504. */
const LARGEST_FLOAT16 = 0x7bff;
/** 1.5 * 2^52: adding and subtracting it rounds a float64 below 2^51 to an integer, ties to even. */
const ROUNDER = 6755399441055744;
const wide = new Float64Array(1);
const wideWords = new Uint32Array(wide.buffer);

/** Bits of the IEEE 754 binary16 nearest to `value`, ties to even; what is larger than 65504 saturates, and NaN stays NaN. */
export function encodeFloat16(value: number): number {
  wide[0] = value;
  const high = wideWords[1] as number;
  const sign = (high >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  // Below 2^-14 steps no longer shrink.
  const exponent = Math.max(-14, ((high >>> 20) & 0x7ff) - 1023);
  if (exponent > 15) return sign | LARGEST_FLOAT16;
  const steps = Math.abs(value) * 2 ** (10 - exponent) + ROUNDER - ROUNDER;
  return sign | Math.min(LARGEST_FLOAT16, ((exponent + 14) << 10) + steps);
}
