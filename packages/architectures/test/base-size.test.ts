/** Properties of the base AR and CL. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { chooseBase } from '../src/index.js';

it('falls back when a size of the model takes the first choice', () => {
  expect(chooseBase([2048, 8192, 64])).toEqual({ ar: 2073, cl: 4173 });
  expect(chooseBase([2048, 2100])).toEqual({ ar: 4073, cl: 8273 });
  expect(chooseBase([2 * 2073])).toEqual({ ar: 4073, cl: 8273 });
  expect(chooseBase([30, 70])).toEqual({ ar: 4073, cl: 8273 });
  const third = chooseBase([2100, 4200]);
  expect(third.ar % 2 === 1 && third.cl % 2 === 1).toBe(true);
  expect([2073, 4073]).not.toContain(third.ar);
});

it('is odd, free of every size and of their products, and divides none', () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 300_000 }), fc.constantFrom(2073, 4173, 2100, 4073, 8273, 4200));
  fc.assert(
    fc.property(fc.array(size, { maxLength: 10 }), (sizes) => {
      const { ar, cl } = chooseBase(sizes);
      expect([ar % 2, cl % 2, ar < cl]).toEqual([1, 1, true]);
      for (const mark of [ar, cl, cl - ar]) {
        for (const a of sizes) {
          expect(a % mark === 0).toBe(false);
          for (const b of sizes) expect(a * b).not.toBe(mark);
        }
      }
    }),
    { seed: 7, numRuns: 100 },
  );
});

it('says so when nothing is free', () => {
  const everything = Array.from({ length: 65_000 }, (_, i) => i + 2);
  expect(() => chooseBase(everything)).toThrow(expect.objectContaining({ code: 'ARCHITECTURE_BASE_TAKEN' }) as Error);
});
