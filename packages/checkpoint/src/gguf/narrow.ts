/** float32 to the element types of a checkpoint, rounded half to even. */
import type { FloatDtype } from '../dtype.js';

/**
 * Writes little-endian elements of `dtype` to the start of `out`. NaN and infinity stay what they are.
 *
 * @returns the index of the first finite value that is too large for F16, -1 when there is none
 */
export function narrowFloats(values: Float32Array, dtype: FloatDtype, out: Uint8Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (dtype === 'F32') {
    out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return -1;
  }
  const codes = new Uint16Array(out.buffer, out.byteOffset, values.length);
  return dtype === 'F16' ? toFloat16(bits, codes) : toBfloat16(bits, codes);
}

/** Whether no value of `values` changes when it becomes `dtype`. */
export function fitsExactly(values: Float32Array, dtype: FloatDtype): boolean {
  if (dtype === 'F32') return true;
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (dtype === 'BF16') return bits.every((word) => (word & 0xffff) === 0);
  return bits.every((word) => {
    const magnitude = word & 0x7fff_ffff;
    // Below 2^-14 the last bit of float16 is 2^-24, above it is the 13th of the fraction; 2^16 is out of range.
    if (magnitude >= 0x4780_0000) return false;
    if (magnitude >= 0x3880_0000) return (magnitude & 0x1fff) === 0;
    if (magnitude === 0) return true;
    const dropped = 126 - (magnitude >>> 23);
    return dropped < 24 && (((magnitude & 0x7f_ffff) | 0x80_0000) & ((1 << dropped) - 1)) === 0;
  });
}

function toBfloat16(bits: Uint32Array, codes: Uint16Array): number {
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    // Rounding could carry a NaN into infinity, so its quiet bit is set instead.
    if ((word & 0x7fff_ffff) > 0x7f80_0000) codes[i] = (word >>> 16) | 0x40;
    else codes[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return -1;
}

function toFloat16(bits: Uint32Array, codes: Uint16Array): number {
  let overflow = -1;
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fff_ffff;
    if (magnitude >= 0x3880_0000 && magnitude < 0x477f_f000) {
      codes[i] = sign | ((magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else if (magnitude < 0x3880_0000) {
      codes[i] = sign | subnormal(magnitude);
    } else {
      if (magnitude < 0x7f80_0000 && overflow < 0) overflow = i;
      codes[i] = sign | (magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00);
    }
  }
  return overflow;
}

/** Bits of a float32 below 2^-14 in units of 2^-24. */
function subnormal(magnitude: number): number {
  const dropped = 126 - (magnitude >>> 23);
  if (dropped > 24) return 0;
  const fraction = (magnitude & 0x7f_ffff) | 0x80_0000;
  const kept = fraction >>> dropped;
  const rest = fraction & ((1 << dropped) - 1);
  const half = 1 << (dropped - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}
