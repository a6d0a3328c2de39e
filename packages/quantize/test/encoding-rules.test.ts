import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MASK_MARGIN, type Range, asymmetricUnsigned, maskInput, maskValueFor, scoresWithMask, roundHalfEven, symmetricCache, symmetricUnsigned, unitInterval, unite } from '../src/calibration/encoding-rules.js';

/** Spans beyond float32 are refused before they get here. */
const finite = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 126), max: 2 ** 126 });
const range = fc.tuple(finite, finite).map(([a, b]): Range => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const bits = fc.constantFrom(8 as const, 16 as const);

const code = (value: number, { scale, zeroPoint, dtype }: ReturnType<typeof asymmetricUnsigned>): number =>
  Math.min(Math.max(roundHalfEven(value / scale) + zeroPoint, 0), dtype === 'uint8' ? 255 : 65535);
const real = (q: number, { scale, zeroPoint }: { scale: number; zeroPoint: number }): number => (q - zeroPoint) * scale;

describe('asymmetric unsigned', () => {
  test('0 has a code of its own, and dequantizes to exactly 0', () => {
    fc.assert(fc.property(range, bits, (seen, width) => {
      const encoding = asymmetricUnsigned(seen, width);
      expect(Number.isInteger(encoding.zeroPoint)).toBe(true);
      expect(real(code(0, encoding), encoding)).toBe(0);
    }));
  });

  test('the grid holds min <= 0 <= max, and every value inside is met to half a step', () => {
    fc.assert(fc.property(range, bits, fc.double({ min: 0, max: 1, noNaN: true }), (seen, width, at) => {
      const encoding = asymmetricUnsigned(seen, width);
      const steps = 2 ** width - 1;
      expect(real(0, encoding)).toBeLessThanOrEqual(0);
      expect(real(steps, encoding)).toBeGreaterThanOrEqual(0);
      const [low, high] = [Math.min(seen.min, 0), Math.max(seen.max, 0)];
      const value = low + at * (high - low);
      // A step for the rounded zero point at the ends, and float32 rounding of the scale over all steps.
      expect(Math.abs(real(code(value, encoding), encoding) - value)).toBeLessThanOrEqual(encoding.scale * (1 + steps * 2 ** -24) + 1e-300);
    }));
  });

  test('the scale is a float32 and never below 2^-23, so a dead tensor has an encoding', () => {
    fc.assert(fc.property(range, bits, (seen, width) => {
      const { scale } = asymmetricUnsigned(seen, width);
      expect(Math.fround(scale)).toBe(scale);
      expect(scale).toBeGreaterThanOrEqual(2 ** -23);
    }));
    expect(asymmetricUnsigned({ min: 0, max: 0 }, 16)).toEqual({ kind: 'per-tensor', dtype: 'uint16', scale: 2 ** -23, zeroPoint: 0, symmetric: false });
  });

  test('worked examples', () => {
    // 2/255 rounds up to float32, so -1 is a little less than 127.5 steps.
    expect(asymmetricUnsigned({ min: -1, max: 1 }, 8)).toMatchObject({ scale: Math.fround(2 / 255), zeroPoint: 127 });
    expect(asymmetricUnsigned({ min: 2, max: 255 }, 8)).toMatchObject({ scale: 1, zeroPoint: 0 });
    expect(asymmetricUnsigned({ min: -65535, max: -7 }, 16)).toMatchObject({ scale: 1, zeroPoint: 65535 });
    // The zero point is a tie: 2.5 steps below 0 goes to the even code.
    expect(asymmetricUnsigned({ min: -2.5, max: 252.5 }, 8)).toMatchObject({ scale: 1, zeroPoint: 2 });
  });
});

interface AimetEncoding { readonly stream: string; readonly grid: string; readonly min: number; readonly max: number; readonly scale: number; readonly offset: number }
const aimet = JSON.parse(readFileSync(new URL('fixtures/aimet-activations.json', import.meta.url), 'utf8')) as AimetEncoding[];

describe('the min-max encodings of AIMET 2.42, bit for bit', () => {
  test.each(aimet)('$stream, $grid', ({ grid, min, max, scale, offset }) => {
    if (grid === 'int8 symmetric') expect(symmetricUnsigned({ min, max }, 8).scale).toBe(scale);
    else expect(asymmetricUnsigned({ min, max }, grid === 'uint8 asymmetric' ? 8 : 16)).toMatchObject({ scale, zeroPoint: 0 - offset });
  });
});

describe('ranges', () => {
  test('uniting is associative and commutative, and holds both', () => {
    fc.assert(fc.property(range, range, range, (a, b, c) => {
      expect(unite(unite(a, b), c)).toEqual(unite(a, unite(b, c)));
      expect(unite(a, b)).toEqual(unite(b, a));
      expect(unite(a, b).min).toBeLessThanOrEqual(a.min);
      expect(unite(a, b).max).toBeGreaterThanOrEqual(b.max);
    }));
  });
});

describe('cache, unit interval and mask', () => {
  test('the cache grid is symmetric, zero point 128, and holds the range', () => {
    // The scale is rounded to float32 four times on its way, as AIMET does it: half of 2^-23 each.
    const rounded = 1 - 4 * 2 ** -24;
    const holds = (seen: Range): void => {
      const { scale, zeroPoint, dtype, symmetric } = symmetricCache(seen, 8);
      expect({ zeroPoint, dtype, symmetric }).toEqual({ zeroPoint: 128, dtype: 'uint8', symmetric: true });
      expect(127 * scale).toBeGreaterThanOrEqual(seen.max * rounded);
      expect(-128 * scale).toBeLessThanOrEqual(seen.min * rounded);
    };
    fc.assert(fc.property(range, holds));
    // Almost three of the four go the same way.
    holds({ min: 0, max: 2.0719165990971906e+34 });
    expect(symmetricCache({ min: -128, max: 1 }, 8).scale).toBe(1);
    expect(symmetricCache({ min: -1, max: 254 }, 8).scale).toBe(2);
  });

  test('1 is the last code of the unit interval', () => {
    expect(unitInterval()).toMatchObject({ dtype: 'uint16', zeroPoint: 0, scale: Math.fround(1 / 65535) });
    expect(code(1, unitInterval())).toBe(65535);
  });

  test('the mask value pushes the largest score of every layer below the smallest by the margin', () => {
    fc.assert(fc.property(fc.array(range.filter(({ min, max }) => min > -1e4 && max < 1e4), { minLength: 1 }), (layers) => {
      const mask = maskValueFor(layers);
      expect(Math.abs(mask % 50)).toBe(0);
      expect(mask).toBeLessThanOrEqual(-50);
      for (const scores of layers) {
        expect(scores.max + mask).toBeLessThanOrEqual(scores.min - MASK_MARGIN);
        // A score that is masked ends a margin below the visible ones, at the first code where the grid begins there.
        const encoding = scoresWithMask(scores);
        const masked = code(scores.max + mask, encoding);
        expect(real(masked, encoding)).toBeLessThanOrEqual(scores.min - MASK_MARGIN + encoding.scale);
        expect(code(scores.min, encoding)).toBeGreaterThan(masked);
        if (scores.min <= 0) expect(masked).toBe(0);
      }
    }));
    expect(maskValueFor([])).toBe(-50);
    expect(maskValueFor([{ min: -20, max: 10 }])).toBe(-50);
    expect(maskValueFor([{ min: -20, max: 10.5 }])).toBe(-100);
  });

  test('the mask input has 0 and the mask value as its last and first code', () => {
    const encoding = maskInput(-100);
    expect(real(65535, encoding)).toBe(0);
    expect(real(0, encoding)).toBeCloseTo(-100, 4);
  });
});

describe('rounding', () => {
  test('goes to the nearest, ties to the even integer', () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994].map(roundHalfEven)).toEqual([-2, -2, 0, 0, 2, 2, 0]);
    fc.assert(fc.property(fc.integer({ min: -(2 ** 30), max: 2 ** 30 }), fc.double({ min: 0, max: 1, noNaN: true }), (whole, rest) => {
      const x = whole + rest;
      const rounded = roundHalfEven(x);
      expect(Math.abs(rounded - x)).toBeLessThanOrEqual(0.5);
      if (Math.abs(rounded - x) === 0.5) expect(Math.abs(rounded % 2)).toBe(0);
    }));
  });
});
