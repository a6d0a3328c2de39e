/** Element-wise kernels in TypeScript: ranges, a look for what is not finite, and exact widening of 16-bit floats. */

export function minMax(x: Float32Array, out: Float32Array): void {
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < x.length; i++) {
    const value = x[i] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  // Which zero comes first is not a property of the data: + 0 turns -0 into +0.
  out[0] = min + 0;
  out[1] = max + 0;
}

export function allFinite(x: Float32Array): boolean {
  // NaN and infinity are the only floats that a product with 0 does not bring to 0, and sums keep them.
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * 0;
  return sum === 0;
}

export function widenBf16(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] as number) << 16;
}

/** Normal numbers move their exponent bias from 15 to 127; subnormals are integers times 2^-24. */
export function widenF16(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] as number;
    const sign = (half & 0x8000) << 16;
    const exponent = half & 0x7c00;
    const fraction = half & 0x3ff;
    if (exponent === 0x7c00) words[i] = sign | 0x7f800000 | (fraction << 13);
    else if (exponent !== 0) words[i] = sign | ((exponent << 13) + ((127 - 15) << 23)) | (fraction << 13);
    else out[i] = (sign === 0 ? fraction : -fraction) * 2 ** -24;
  }
}

export function subtract(a: Float32Array, b: Float32Array, out: Float32Array): void {
  for (let i = 0; i < a.length; i++) out[i] = (a[i] as number) - (b[i] as number);
}
