/** The fast exponential against the library's. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { expNonPositive } from '../src/exp.js';

it('is within 1e-15 of Math.exp, relative', () => {
  fc.assert(fc.property(fc.double({ min: -700, max: 0, noNaN: true }), (x) => Math.abs(expNonPositive(x) / Math.exp(x) - 1) < 1e-15), { numRuns: 2_000 });
  let worst = 0;
  for (let i = 0; i <= 700_000; i++) worst = Math.max(worst, Math.abs(expNonPositive(-i / 1000) / Math.exp(-i / 1000) - 1));
  expect(worst).toBeLessThan(1e-15);
});

it('is exact at 0 and defined outside its range', () => {
  expect([0, -0, -701, -Infinity, NaN].map(expNonPositive)).toEqual([1, 1, 0, 0, NaN]);
});
