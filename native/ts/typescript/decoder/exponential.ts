/** exp in fp32 as one defined chain of operations; src/decoder/exponential.h is the twin. */
import { fma32 } from '../fused-multiply-add.js';

const { fround } = Math;

/** Below the first every result is 0, above the second infinity. */
const LOWEST = -104;
const HIGHEST = 89;
/** Adding this rounds |x| <= 2^22 to an integer in the last bits, half to even. */
const ROUNDING_MAGIC = 1.5 * 2 ** 23;
const LOG2_E = fround(Math.LOG2E);
/** ln 2 in two parts; the product of the first with |n| <= 150 is exact. */
const LN2_HIGH = fround(Math.LN2);
const LN2_LOW = fround(Math.LN2 - LN2_HIGH);
/** exp(r) = 1 + r + r² P(r) for |r| <= ln(2)/2, highest power first (Moshier, Cephes, expf.c). */
const P = [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1].map(fround) as [number, ...number[]];

/** exp(x) within 2 ulp, subnormal results and infinity included; NaN stays NaN. */
export function exponential(x: number): number {
  const low = x < LOWEST ? LOWEST : x;
  const clamped = low > HIGHEST ? HIGHEST : low;
  const n = fma32(clamped, LOG2_E, ROUNDING_MAGIC) - ROUNDING_MAGIC;
  const r = fma32(-n, LN2_LOW, fma32(-n, LN2_HIGH, clamped));
  const [first, ...rest] = P;
  let p = first;
  for (const coefficient of rest) p = fma32(p, r, coefficient);
  return fround(fround(1 + fma32(p, fround(r * r), r)) * 2 ** n);
}
