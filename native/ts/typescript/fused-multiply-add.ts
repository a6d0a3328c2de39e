/** Exact fp32 fused multiply-add from double arithmetic, so that TypeScript gives the bits of the hardware instruction. */

const { fround } = Math;
const sumView = new Float64Array(1);
const wordView = new Uint32Array(sumView.buffer);
const LOW = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/**
 * fp32(a * b + c) with one rounding; a, b, c are fp32 values.
 * The product is exact in double (48 bits). The sum is rounded to odd: TwoSum gives its error, and an inexact sum with
 * an even last bit moves one step toward the exact value. Rounding a 53-bit round-to-odd sum to 24 bits is then exact
 * (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
 */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const error = product - (sum - part) + (c - part);
  // A NaN error means an infinite or NaN sum, which needs no correction.
  if (error === 0 || error !== error) return fround(sum);
  sumView[0] = sum;
  const low = wordView[LOW] as number;
  if ((low & 1) === 1) return fround(sum);
  if (error > 0 === sum > 0) {
    wordView[LOW] = low | 1;
  } else {
    if (low === 0) wordView[HIGH] = (wordView[HIGH] as number) - 1;
    wordView[LOW] = low - 1;
  }
  return fround(sumView[0] as number);
}
