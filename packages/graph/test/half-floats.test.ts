/** Rounding to binary16 against all values that there are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFloat16, widenFloat16 } from '../src/half-floats.js';

const ALL = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
const VALUES = widenFloat16(ALL);
const INFINITY = 0x7c00;

describe('encodeFloat16', () => {
  it('gives every finite value its own bits', () => {
    for (const bits of ALL) if ((bits & INFINITY) !== INFINITY) expect(encodeFloat16(VALUES[bits] as number)).toBe(bits);
  });

  it('rounds to the nearest, and to even bits in the middle', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 0x7bfe }), fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(1, -1), (low, share, sign) => {
      const [from, to] = [VALUES[low] as number, VALUES[low + 1] as number];
      const expected = share < 0.5 || (share === 0.5 && low % 2 === 0) ? low : low + 1;
      // Sums of the two ends are exact in float64 but for shares that the sum cannot hold.
      const value = from + share * (to - from);
      if ((value - from) / (to - from) !== share) return true;
      return encodeFloat16(sign * value) === (sign < 0 ? expected | 0x8000 : expected);
    }), { numRuns: 2000 });
    for (let low = 0; low < 0x7bff; low++) expect(encodeFloat16(((VALUES[low] as number) + (VALUES[low + 1] as number)) / 2)).toBe(low % 2 === 0 ? low : low + 1);
  });

  it('saturates, and keeps signs and NaN', () => {
    expect([65_504, 65_519.99, 65_520, 1e9, Infinity, -1e300, -Infinity].map(encodeFloat16)).toEqual([0x7bff, 0x7bff, 0x7bff, 0x7bff, 0x7bff, 0xfbff, 0xfbff]);
    expect([0, -0, 1e-300, -1e-300, 2 ** -25, -(2 ** -24)].map(encodeFloat16)).toEqual([0, 0x8000, 0, 0x8000, 0, 0x8001]);
    expect(VALUES[encodeFloat16(NaN)]).toBeNaN();
  });
});
