/** Linear algebra: every variant gives the bytes of the TypeScript reference, and the results are what they claim to be. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtAddonPath } from '../ts/addon.js';
import type { RawAlgebra } from '../ts/algebra.js';
import { type Algebra, loadKernels } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';
import type { Result } from './bytes.js';
import { inEveryVariant, natives } from './every-variant.js';
import { reference } from './same-bytes.js';
import { FLAVOURS, sample } from './samples.js';

ensureAddon();
const fast = loadKernels({ allow: 'native' }).algebra;

const seed = fc.integer({ min: 0, max: 0xffffffff });
const flavour = fc.constantFrom(...FLAVOURS);
const size = fc.integer({ min: 1, max: 45 });
const runs = { numRuns: 40 };

const expectSame = <T extends readonly Result[]>(compute: (algebra: Algebra, threads: number) => T): T => inEveryVariant(({ algebra }, threads) => compute(algebra, threads));

function largestDifference(x: Float32Array, y: Float32Array): number {
  return x.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (y[i] as number))), 0);
}

/** xᵀ x + I for random x: symmetric positive definite. */
function positiveDefinite(s: number, k: number): Float32Array {
  const a = new Float32Array(k * k);
  for (let i = 0; i < k; i++) a[i * k + i] = 1;
  fast.accumulateGram(a, sample(s, 2 * k * k, 'weights'), 2 * k, k);
  fast.mirror(a, k);
  return a;
}

/** A factor with a diagonal away from 0 and small elements below it, anything above. */
function lowerTriangle(s: number, k: number): Float32Array {
  const l = sample(s, k * k, 'weights');
  for (let i = 0; i < k; i++) {
    l[i * k + i] = 1 + Math.abs(l[i * k + i] as number);
    l.fill(NaN, i * k + i + 1, (i + 1) * k);
  }
  return l;
}

describe('products', () => {
  const product = (s: number, f: (typeof FLAVOURS)[number], [m, n, k]: readonly [number, number, number], transposeA: boolean, transposeB: boolean, accumulate: boolean) => {
    const [a, b, start] = [sample(s, m * k, f), sample(s + 1, k * n, f), sample(s + 2, m * n + 3, f)];
    expectSame((algebra, threads) => {
      const memory = start.slice();
      algebra.multiplyInto(memory.subarray(1, 1 + m * n), a, b, { m, n, k, transposeA, transposeB, accumulate }, threads);
      return [memory];
    });
  };

  it('go into a given array, from transposed operands, and on from what is there', () => {
    fc.assert(fc.property(seed, flavour, size, size, fc.integer({ min: 0, max: 40 }), fc.boolean(), fc.boolean(), fc.boolean(), (s, f, m, n, k, ...how) => product(s, f, [m, n, k], ...how)), runs);
  });

  it('go on across the blocks of the caches', () => {
    product(1, 'weights', [7, 1040, 520], false, false, true);
    product(2, 'wide', [245, 17, 520], true, true, true);
    product(3, 'weights', [5, 70, 1030], true, false, false);
  });

  it('of an empty sum are zero or what was there', () => {
    for (const { algebra } of [reference, ...natives]) {
      const out = new Float32Array([1, 2]);
      algebra.multiplyInto(out, new Float32Array(), new Float32Array(), { m: 1, n: 2, k: 0, accumulate: true });
      expect(out).toEqual(new Float32Array([1, 2]));
      algebra.multiplyInto(out, new Float32Array(), new Float32Array(), { m: 1, n: 2, k: 0 });
      expect(out).toEqual(new Float32Array(2));
    }
  });

  const grams = (s: number, f: (typeof FLAVOURS)[number], rows: number, n: number, k: number) => {
    const [a, b] = [sample(s, rows * n, f), sample(s + 1, rows * k, f)];
    const cut = rows >> 1;
    expectSame((algebra, threads) => {
      const [gram, cross] = [new Float32Array(k * k), new Float32Array(n * k)];
      for (const [from, to] of [[0, cut], [cut, rows]] as const) {
        algebra.accumulateGram(gram, b.subarray(from * k, to * k), to - from, k, threads);
        algebra.accumulateCross(cross, a.subarray(from * n, to * n), b.subarray(from * k, to * k), to - from, n, k, threads);
      }
      algebra.mirror(gram, k);
      return [gram, cross];
    });
  };

  const blocks = (s: number, f: (typeof FLAVOURS)[number], rows: number, count: number, block: number) => {
    const k = count * block;
    const [a, b] = [sample(s, rows * k, f), sample(s + 1, rows * k, f)];
    expectSame((algebra, threads) => {
      const [own, cross] = [new Float32Array(k * block), new Float32Array(k * block)];
      for (const [from, to] of [[0, rows >> 1], [rows >> 1, rows]] as const) {
        const [left, right] = [a, b].map((x) => x.subarray(from * k, to * k)) as [Float32Array, Float32Array];
        algebra.accumulateBlocks(own, left, left, to - from, k, block, threads);
        algebra.accumulateBlocks(cross, left, right, to - from, k, block, threads);
      }
      return [own, cross];
    });
  };

  it('give the diagonal blocks of those matrices alone', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 70 }), blocks), runs);
    blocks(7, 'weights', 700, 3, 32);
    blocks(8, 'weights', 2100, 2, 16);
    const [x, y, whole, diagonal] = [sample(1, 90, 'weights'), sample(2, 90, 'weights'), new Float32Array(36), new Float32Array(18)];
    reference.algebra.accumulateCross(whole, x, y, 15, 6, 6);
    reference.algebra.accumulateBlocks(diagonal, x, y, 15, 6, 3);
    expect(diagonal).toEqual(Float32Array.from({ length: 18 }, (_, i) => whole[Math.floor(i / 3) * 6 + Math.floor(i / 9) * 3 + (i % 3)] as number));
  });

  it('multiply by the blocks of a diagonal as by the whole matrix', () => {
    const product = (s: number, f: (typeof FLAVOURS)[number], n: number, count: number, block: number) => expectSame(({ multiplyByBlocks }, threads) => {
      const [k, out] = [count * block, new Float32Array(n * count * block + 3).fill(NaN)];
      multiplyByBlocks(out.subarray(1, 1 + n * k), sample(s, n * k, f), sample(s + 1, k * block, f), n, k, block, threads);
      return [out];
    });
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 40 }), (...how) => { product(...how); }), runs);
    product(3, 'weights', 600, 5, 32);
    const [a, diagonal, own, all] = [sample(1, 5 * 6, 'weights'), sample(2, 18, 'weights'), new Float32Array(30), new Float32Array(30)];
    const whole = Float32Array.from({ length: 36 }, (_, i) => (Math.floor(i / 18) === Math.floor((i % 6) / 3) ? (diagonal[Math.floor(i / 6) * 3 + (i % 3)] as number) : 0));
    reference.algebra.multiplyByBlocks(own, a, diagonal, 5, 6, 3);
    reference.algebra.multiplyInto(all, a, whole, { m: 5, n: 6, k: 6 });
    expect(own).toEqual(all);
  });

  it('give Gram and cross matrices, chunk by chunk', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 0, max: 30 }), size, fc.integer({ min: 1, max: 140 }), grams), runs);
    grams(5, 'weights', 90, 20, 330);
  });
});

describe('gather', () => {
  it('takes columns, and rows where they are given, as often as they are named', () => {
    fc.assert(fc.property(seed, flavour, size, size, fc.integer({ min: 0, max: 30 }), (s, f, stored, k, count) => {
      const x = sample(s, stored * k, f);
      const places = (length: number, limit: number, from: number): Uint32Array => Uint32Array.from({ length }, (_, i) => Math.imul(i + from, 0x9e3779b1) >>> 0).map((hash) => hash % limit);
      const [columns, rows] = [places(k, k, s), places(count, stored, s + 1)];
      const [all, some] = expectSame((algebra, threads) => {
        const [whole, part] = [new Float32Array(stored * k), new Float32Array(count * k)];
        algebra.gather(whole, x, { columns }, threads);
        algebra.gather(part, x, { rows, columns }, threads);
        return [whole, part] as const;
      });
      expect(all).toEqual(x.map((_, i) => x[i - (i % k) + (columns[i % k] as number)] as number));
      expect(some).toEqual(Float32Array.from({ length: count * k }, (_, i) => x[(rows[Math.floor(i / k)] as number) * k + (columns[i % k] as number)] as number));
    }), runs);
  });
});

describe('cholesky', () => {
  it.each([1, 2, 5, 12, 31, 32, 33, 64, 77, 128, 129, 353])('factors %i columns', (k) => {
    const a = positiveDefinite(k, k);
    const [pivot, l] = expectSame((algebra, threads) => {
      const factor = a.slice();
      return [algebra.cholesky(factor, k, threads), factor] as const;
    });
    expect(pivot).toBe(-1);
    const back = new Float32Array(k * k);
    fast.multiplyInto(back, l, l, { m: k, n: k, k, transposeB: true });
    expect(largestDifference(back, a)).toBeLessThan(2e-6 * a.reduce((x, y) => Math.max(x, y)));
    expect(l.every((x, i) => i % k <= Math.floor(i / k) || Object.is(x, 0))).toBe(true);
  });

  it('names the first pivot that is not positive and finite', () => {
    const identity = (k: number) => Float32Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0));
    const changed = (k: number, row: number, column: number, value: number) => identity(k).fill(value, row * k + column, row * k + column + 1);
    const cases: [Float32Array, number, number][] = [
      [new Float32Array([1, 2, 2, 1]), 2, 1],
      [new Float32Array(9), 3, 0],
      [new Float32Array([1, 1, 1, 1]), 2, 1],
      [changed(200, 150, 150, -1), 200, 150],
      [changed(200, 170, 3, NaN), 200, 170],
      [changed(200, 170, 3, Infinity), 200, 170],
      [changed(40, 39, 39, Infinity), 40, 39],
      [changed(200, 3, 170, NaN), 200, -1],
      [new Float32Array(), 0, -1],
    ];
    for (const [a, k, pivot] of cases) expect(expectSame((algebra, threads) => [algebra.cholesky(a.slice(), k, threads)])).toEqual([pivot]);
  });

  it('gives the same pivot for any matrix', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 1, max: 80 }), (s, f, k) => {
      const a = sample(s, k * k, f);
      expectSame((algebra, threads) => [algebra.cholesky(a.slice(), k, threads)]);
    }), runs);
  });
});

describe('solveLower', () => {
  const solve = (s: number, k: number, rows: number, transpose: boolean) => {
    const [l, b] = [lowerTriangle(s, k), sample(s + 1, rows * k, 'weights')];
    const [x] = expectSame((algebra, threads) => {
      const rowsOfB = b.slice();
      algebra.solveLower(l, k, rowsOfB, rows, { transpose, threads });
      return [rowsOfB] as const;
    });
    const clean = l.map((value, i) => (i % k > Math.floor(i / k) ? 0 : value));
    const back = new Float32Array(rows * k);
    fast.multiplyInto(back, x, clean, { m: rows, n: k, k, transposeB: !transpose });
    expect(largestDifference(back, b)).toBeLessThan(1e-5);
  };

  it('solves both systems, reading only the lower triangle', () => {
    fc.assert(fc.property(seed, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 40 }), fc.boolean(), solve), runs);
  });

  it.each([false, true])('solves across blocks and threads, transposed %s', (transpose) => {
    solve(9, 300, 70, transpose);
    solve(11, 128, 1, transpose);
    solve(13, 1100, 2, transpose);
  });
});

it('works in shared memory', () => {
  const shared = (values: Float32Array) => {
    const array = new Float32Array(new SharedArrayBuffer(values.byteLength));
    array.set(values);
    return array;
  };
  const k = 40;
  expectSame((algebra, threads) => {
    const a = shared(positiveDefinite(3, k));
    const b = shared(sample(4, 5 * k, 'weights'));
    const out = shared(new Float32Array(k * k));
    algebra.cholesky(a, k, threads);
    algebra.solveLower(a, k, b, 5, { threads });
    algebra.accumulateGram(out, b, 5, k, threads);
    algebra.mirror(out, k);
    return [a, b, out];
  });
});

it.each([reference, ...natives].map((kernels) => [kernels.identity().isa, kernels.algebra] as const))('%s refuses what does not fit', (_, algebra) => {
  const memory = new Float32Array(32);
  const [x, y, short] = [memory.subarray(0, 16), memory.subarray(16), new Float32Array(15)];
  const products = [algebra, algebra.int16].flatMap(({ multiplyInto, accumulateGram, accumulateCross }) => [
    () => multiplyInto(x, y, short, { m: 4, n: 4, k: 4 }),
    () => multiplyInto(x, y, y, { m: 4, n: 4, k: 3 }),
    () => multiplyInto(x, y, y, { m: -4, n: 4, k: -4 }),
    () => multiplyInto(x, memory.subarray(15, 31), y, { m: 4, n: 4, k: 4 }),
    () => multiplyInto(x, y, y, { m: 4, n: 4, k: 4 }, 0),
    () => accumulateGram(x, y, 4, 3),
    () => accumulateGram(x, x, 4, 4),
    () => accumulateCross(x, y, y, 4, 4, 5),
    () => accumulateCross(x, y, x, 4, 4, 4),
  ]);
  const calls = [
    ...products,
    () => algebra.accumulateBlocks(x, y, y, 4, 4, 3),
    () => algebra.accumulateBlocks(x, y, x, 4, 4, 4),
    () => algebra.accumulateBlocks(x, y, short, 4, 4, 4),
    () => algebra.multiplyByBlocks(x, y, y, 4, 4, 3),
    () => algebra.multiplyByBlocks(x, y, x, 4, 4, 4),
    () => algebra.multiplyByBlocks(x, short, y, 4, 4, 4),
    () => algebra.multiplyByBlocks(short, y, y, 4, 4, 4),
    () => algebra.gather(x, y, { columns: new Uint32Array([0, 4, 1, 2]) }),
    () => algebra.gather(short, y, { columns: new Uint32Array(4) }),
    () => algebra.gather(x.subarray(0, 8), y, { rows: new Uint32Array([0, 4]), columns: new Uint32Array(4) }),
    () => algebra.gather(x, short, { columns: new Uint32Array(4) }),
    () => algebra.gather(x, x, { columns: new Uint32Array(4) }),
    () => algebra.mirror(short, 4),
    () => algebra.cholesky(short, 4),
    () => algebra.cholesky(x, 4, 65),
    () => algebra.cholesky(x, 0.5),
    () => algebra.solveLower(x, 4, short, 4),
    () => algebra.solveLower(x, 4, x, 4),
  ];
  for (const call of calls) expect(call).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
  expect(memory.every((value) => value === 0)).toBe(true);
});

it('the addon itself refuses wrong types and lengths', () => {
  const raw = (createRequire(import.meta.url)(builtAddonPath()) as { kernels(isa: string): { algebra: RawAlgebra } }).kernels('portable').algebra;
  const f32 = new Float32Array(4);
  expect(() => raw.multiplyInto(f32, f32, f32, 2, 2, 3, false, false, false, 1)).toThrow('has another length');
  expect(() => raw.accumulateGram(f32, f32, 2, 3, 1)).toThrow('has another length');
  expect(() => raw.cholesky(new Float64Array(4) as never, 2, 1)).toThrow('argument 0 has another element type');
  expect(() => raw.cholesky(f32, 2, 0)).toThrow('thread count');
  expect(() => raw.solveLower(f32, 2, f32, 2, 1 as never, 1)).toThrow('argument 4 is not a boolean');
  expect(() => raw.gather(f32, f32, null, new Uint32Array([0, 2]), 2, 2, 1)).toThrow('columns are below k');
  expect(() => raw.gather(f32, f32, new Uint32Array([0, 2]), new Uint32Array(2), 2, 2, 1)).toThrow('rows are those of x');
  expect(() => raw.gather(f32, f32, null, new Uint32Array(2), 1, 2, 1)).toThrow('rows are those of x');
  expect(() => raw.mirror(f32, NaN)).toThrow('argument 1 is not a size');
});
