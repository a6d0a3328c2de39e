/** Half floats as their bits. */
import { decodeFloat16 } from '@tundish/graph';

export function decodeHalves(bits: Uint16Array): Float64Array {
  return Float64Array.from(decodeFloat16(new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength), bits.length));
}

/** @param value 0, or within the normal halves; what does not fit is cut off */
export function halfBits(value: number): number {
  if (value === 0) return 0;
  const word = new DataView(Float32Array.of(value).buffer).getUint32(0, true);
  return ((word >>> 16) & 0x8000) | ((((word >>> 23) & 255) - 112) << 10) | ((word >>> 13) & 1023);
}
