/** Products of block floating point: every variant gives the bytes of the TypeScript reference, which are the stated chain. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fma32 } from '../ts/typescript/fused-multiply-add.js';
import { ensureAddon } from './built-addon.js';
import { type BlockRule, blockOf } from './block-rule.js';
import { bytes } from './bytes.js';
import { oneInEveryVariant } from './every-variant.js';
import { reference } from './same-bytes.js';
import { FLAVOURS, sample } from './samples.js';

ensureAddon();
const RULE: BlockRule = { steps: 128, bound: 4095 };

const seed = fc.integer({ min: 0, max: 0xffffffff });
const flavour = fc.constantFrom(...FLAVOURS);
const size = fc.integer({ min: 1, max: 45 });
const runs = { numRuns: 40 };

function product(s: number, f: (typeof FLAVOURS)[number], [m, n, k]: readonly [number, number, number], transposeA: boolean, transposeB: boolean, accumulate: boolean): void {
  const [a, b, start] = [sample(s, m * k, f), sample(s + 1, k * n, f), sample(s + 2, m * n + 3, f)];
  oneInEveryVariant(({ algebra }, threads) => {
    const memory = start.slice();
    algebra.int16.multiplyInto(memory.subarray(1, 1 + m * n), a, b, { m, n, k, transposeA, transposeB, accumulate }, threads);
    return memory;
  });
}

const column = (x: Float32Array, from: number, step: number, k: number): number[] => Array.from({ length: k }, (_, p) => x[from + p * step] as number);

describe('products of block floating point', () => {
  it('go into a given array, from transposed operands, and on from what is there', () => {
    fc.assert(fc.property(seed, flavour, size, size, fc.integer({ min: 0, max: 300 }), fc.boolean(), fc.boolean(), fc.boolean(), (s, f, m, n, k, ...how) => product(s, f, [m, n, k], ...how)), runs);
  });

  it('go on across the blocks of the caches, whatever is left of the last block', () => {
    product(1, 'weights', [7, 1040, 1153], false, false, true);
    product(2, 'wide', [245, 17, 1025], true, true, true);
    product(3, 'weights', [5, 70, 2047], true, false, false);
    product(4, 'weights', [5, 70, 1024], false, true, true);
  });

  it('are the chains of sums of integers', () => {
    const [m, n, k] = [3, 5, 300];
    const [a, b] = [sample(7, m * k, 'weights'), sample(8, n * k, 'weights')];
    const out = oneInEveryVariant(({ algebra }, threads) => {
      const result = new Float32Array(m * n);
      algebra.int16.multiplyInto(result, a, b, { m, n, k, transposeB: true }, threads);
      return result;
    });
    out.forEach((value, index) => {
      const [row, other] = [column(a, Math.floor(index / n) * k, 1, k), column(b, (index % n) * k, 1, k)];
      let chain = 0;
      for (let start = 0; start < k; start += RULE.steps) {
        const [x, y] = [blockOf(row.slice(start, start + RULE.steps), RULE), blockOf(other.slice(start, start + RULE.steps), RULE)];
        chain = fma32(Math.fround(x.integers.reduce((sum, q, p) => sum + q * (y.integers[p] as number), 0)), Math.fround(x.scale * y.scale), chain);
      }
      expect(value).toBe(chain);
    });
  });

  it('are those of float64 but for the rounding of inputs and sums', () => {
    const [m, n, k] = [30, 40, 300];
    const [a, b] = [sample(9, m * k, 'weights'), sample(10, k * n, 'weights')];
    const out = oneInEveryVariant(({ algebra }, threads) => {
      const result = new Float32Array(m * n);
      algebra.int16.multiplyInto(result, a, b, { m, n, k }, threads);
      return result;
    });
    out.forEach((value, index) => {
      const [row, other] = [column(a, Math.floor(index / n) * k, 1, k), column(b, index % n, n, k)];
      let bound = 0;
      for (let start = 0; start < k; start += 128) {
        const [x, y] = [row, other].map((values) => values.slice(start, start + 128).map(Math.abs)) as [number[], number[]];
        // Half a step of the scale in each input, and a little for quotients, products and sums in fp32.
        const [dx, dy] = [Math.max(...x) / 8190, Math.max(...y) / 8190];
        bound += x.reduce((sum, value, p) => sum + value * dy + dx * (y[p] as number) + dx * dy, 0) * (1 + 2 ** -10);
      }
      const exact = row.reduce((sum, value, p) => sum + value * (other[p] as number), 0);
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(bound);
    });
  });

  it('hold the largest sums that there are', () => {
    const k = 256;
    const x = new Float32Array(k).fill(3);
    const out = oneInEveryVariant(({ algebra }, threads) => {
      const result = new Float32Array(2);
      algebra.int16.multiplyInto(result, Float32Array.from([...x, ...x.map((value) => -value)]), x, { m: 2, n: 1, k }, threads);
      return result;
    });
    expect([...out].map((value) => Math.abs(Math.abs(value) / (9 * k) - 1) < 2 ** -21)).toEqual([true, true]);
    expect(out[1]).toBe(-(out[0] as number));
  });
});

describe('ends of the range', () => {
  const times = (a: readonly number[], b: readonly number[], start?: number): number => (oneInEveryVariant(({ algebra }, threads) => {
    const out = new Float32Array([start ?? NaN]);
    algebra.int16.multiplyInto(out, new Float32Array(a), new Float32Array(b), { m: 1, n: 1, k: a.length, accumulate: start !== undefined }, threads);
    return out;
  })[0] as number);
  const ones = (length: number): number[] => Array<number>(length).fill(4095);

  it('rounds half to even, on the scale of the largest of a block', () => {
    expect(times([4095, 0.5], [0, 4095])).toBe(0);
    expect(times([4095, 1.5], [0, 4095])).toBe(2 * 4095);
    expect(times([4095, -2.5], [0, 4095])).toBe(-2 * 4095);
    expect(times([4095, 0.75], [0, 4095])).toBe(4095);
    // The largest of the first block has no part in the second.
    expect(times([4095, ...Array<number>(127).fill(0), 0.25], [0, ...ones(128)])).toBeCloseTo(0.25 * 4095, 3);
  });

  it('makes NaN of what takes a block that is not finite, and of nothing else', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      expect(times([bad], [0])).toBeNaN();
      expect(times([...ones(130), bad], ones(131))).toBeNaN();
    }
    const [m, n, k] = [9, 17, 140];
    const [a, b] = [sample(11, m * k, 'weights'), sample(12, n * k, 'weights')];
    a[4 * k + 3] = NaN;
    b[13 * k + 139] = Infinity;
    for (const transposed of [false, true]) {
      const out = oneInEveryVariant(({ algebra }, threads) => {
        const result = new Float32Array(m * n);
        const stored = (x: Float32Array, rows: number): Float32Array => Float32Array.from({ length: x.length }, (_, i) => x[transposed ? (i % rows) * k + Math.floor(i / rows) : i] as number);
        algebra.int16.multiplyInto(result, stored(a, m), stored(b, n), { m, n, k, transposeA: transposed, transposeB: !transposed }, threads);
        return result;
      });
      out.forEach((value, index) => { expect(Number.isNaN(value)).toBe(Math.floor(index / n) === 4 || index % n === 13); });
    }
  });

  it('takes blocks below 2^-100 as 0', () => {
    expect(times([2 ** -100], [2 ** 100])).toBeCloseTo(1, 5);
    expect(times([2 ** -100 * (1 - 2 ** -24)], [2 ** 100])).toBe(0);
    expect(times([2 ** -149], [3e38])).toBe(0);
    expect(times([3.4e38], [2 ** -100])).toBeGreaterThan(2 ** 27);
    expect(times([3.4e38], [3.4e38])).toBe(Infinity);
    expect(times([0, -0], [1, 1], 2 ** -149)).toBe(2 ** -149);
    expect(times([], [], -0)).toBe(-0);
  });
});

describe('Gram matrices of block floating point', () => {
  const columns = fc.integer({ min: 1, max: 140 });
  const rows = fc.integer({ min: 0, max: 300 });

  const grams = (s: number, f: (typeof FLAVOURS)[number], count: number, n: number, k: number) => {
    const [a, b] = [sample(s, count * n, f), sample(s + 1, count * k, f)];
    const cut = Math.floor(count / 256) * 128;
    const accumulate = (parts: readonly (readonly [number, number])[]) => oneInEveryVariant(({ algebra }, threads) => {
      const out = new Float32Array(k * k + n * k);
      for (const [from, to] of parts) {
        algebra.int16.accumulateGram(out.subarray(0, k * k), b.subarray(from * k, to * k), to - from, k, threads);
        algebra.int16.accumulateCross(out.subarray(k * k), a.subarray(from * n, to * n), b.subarray(from * k, to * k), to - from, n, k, threads);
      }
      algebra.mirror(out.subarray(0, k * k), k);
      return out;
    });
    const inChunks = accumulate([[0, cut], [cut, count]]);
    expect(bytes(inChunks).equals(bytes(accumulate([[0, count]])))).toBe(true);
    const gram = new Float32Array(k * k);
    reference.algebra.int16.multiplyInto(gram, b, b, { m: k, n: k, k: count, transposeA: true });
    expect(bytes(inChunks.subarray(0, k * k)).equals(bytes(gram))).toBe(true);
  };

  it('go on chunk by chunk, of a multiple of 128 rows, as if they were one', () => {
    fc.assert(fc.property(seed, flavour, rows, size, columns, grams), { numRuns: 12 });
    grams(5, 'weights', 391, 20, 200);
  });
});
