/** Products of inputs rounded to bfloat16: every variant gives the bytes of the TypeScript reference, which are the stated chain. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Kernels, loadKernels, variants } from '../ts/index.js';
import { fma32 } from '../ts/typescript/fused-multiply-add.js';
import { ensureAddon } from './built-addon.js';
import { bytes } from './bytes.js';
import { FLAVOURS, sample } from './samples.js';

ensureAddon();
const reference = loadKernels({ allow: 'typescript' });
const natives: readonly Kernels[] = variants().map((isa) => loadKernels({ allow: 'native', isa }));
const THREADS = [1, 2];

const seed = fc.integer({ min: 0, max: 0xffffffff });
const flavour = fc.constantFrom(...FLAVOURS);
const size = fc.integer({ min: 1, max: 45 });
const runs = { numRuns: 40 };

function expectSame(compute: (kernels: Kernels, threads: number) => Float32Array): Float32Array {
  const result = compute(reference, 1);
  const expected = bytes(result);
  for (const native of natives) {
    for (const threads of THREADS) expect(bytes(compute(native, threads)).equals(expected), `${native.identity().isa} with ${threads} threads`).toBe(true);
  }
  return result;
}

function product(s: number, f: (typeof FLAVOURS)[number], [m, n, k]: readonly [number, number, number], transposeA: boolean, transposeB: boolean, accumulate: boolean): void {
  const [a, b, start] = [sample(s, m * k, f), sample(s + 1, k * n, f), sample(s + 2, m * n + 3, f)];
  expectSame(({ algebra }, threads) => {
    const memory = start.slice();
    algebra.bfloat16.multiplyInto(memory.subarray(1, 1 + m * n), a, b, { m, n, k, transposeA, transposeB, accumulate }, threads);
    return memory;
  });
}

/** The nearest bfloat16 by arithmetic instead of bits: around x they are 2^-7 of the power of two below it apart. */
function nearest(x: number): number {
  const spacing = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7);
  const [below, rest] = [Math.floor(x / spacing), x / spacing - Math.floor(x / spacing)];
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return x === 0 ? 0 : (below + (up ? 1 : 0)) * spacing;
}

describe('narrowing', () => {
  it('gives the bits that the products take, for every kind of element', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 0, max: 200 }), (s, f, length) => {
      const x = sample(s, length, f);
      const bits = reference.narrowBf16(x);
      for (const native of natives) for (const threads of THREADS) expect(native.narrowBf16(x, threads)).toEqual(bits);
      // Chains are not asked: what is rounded once more does not change, and products with the rounded elements are the same.
      expect(reference.narrowBf16(reference.widenBf16(bits))).toEqual(bits);
    }));
    const halves = new Float32Array([1 + 2 ** -8, 1 + 3 * 2 ** -8, -(2 ** -57), 2 ** -56, 3.4e38, -Infinity, NaN, -0]);
    for (const kernels of [reference, ...natives]) expect([...kernels.narrowBf16(halves)]).toEqual([0x3f80, 0x3f82, 0, 0x2380, 0x7f80, 0xff80, 0x7fc0, 0]);
  });

  it('before a product changes nothing of it', () => {
    const [m, n, k] = [9, 7, 83];
    const [a, b] = [sample(3, m * k, 'weights'), sample(4, n * k, 'weights')];
    for (const kernels of [reference, ...natives]) {
      const [own, narrowed] = [a, kernels.widenBf16(kernels.narrowBf16(a))].map((left) => {
        const out = new Float32Array(m * n);
        kernels.algebra.bfloat16.multiplyInto(out, left, b, { m, n, k, transposeB: true });
        return out;
      });
      expect(narrowed).toEqual(own);
    }
  });

  it('writes into a given array, of the right length alone', () => {
    const [x, out] = [sample(5, 70_000, 'weights'), new Uint16Array(70_002)];
    for (const kernels of [reference, ...natives]) {
      expect(kernels.narrowBf16(x, 2, out.subarray(1, 70_001))).toEqual(reference.narrowBf16(x));
      expect([out[0], out[70_001]]).toEqual([0, 0]);
      expect(() => kernels.narrowBf16(x, 2, out)).toThrow('out has 70002 elements');
      expect(() => kernels.widenBf16(out, 2, x)).toThrow('out has 70000 elements');
    }
  });
});

describe('products of bfloat16', () => {
  it('go into a given array, from transposed operands, and on from what is there', () => {
    fc.assert(fc.property(seed, flavour, size, size, fc.integer({ min: 0, max: 75 }), fc.boolean(), fc.boolean(), fc.boolean(), (s, f, m, n, k, ...how) => product(s, f, [m, n, k], ...how)), runs);
  });

  it('go on across the blocks of the caches, with an odd number of steps', () => {
    product(1, 'weights', [7, 1040, 521], false, false, true);
    product(2, 'wide', [245, 17, 521], true, true, true);
    product(3, 'weights', [5, 70, 1031], true, false, false);
    product(4, 'weights', [5, 70, 1031], false, true, true);
  });

  it('are the chains of rounded inputs, the odd step of a pair first', () => {
    const [m, n, k] = [3, 5, 37];
    const [a, b] = [sample(7, m * k, 'weights'), sample(8, n * k, 'weights')];
    const out = expectSame(({ algebra }, threads) => {
      const result = new Float32Array(m * n);
      algebra.bfloat16.multiplyInto(result, a, b, { m, n, k, transposeB: true }, threads);
      return result;
    });
    const steps = Array.from({ length: k }, (_, step) => Math.min(k - 1, step ^ 1));
    steps[k - 1] = k - 1;
    out.forEach((value, index) => {
      const [i, j] = [Math.floor(index / n), index % n];
      const chain = steps.reduce((sum, p) => fma32(nearest(a[i * k + p] as number), nearest(b[j * k + p] as number), sum), 0);
      expect(value).toBe(chain);
    });
  });

  it('are those of float64 but for the rounding of inputs and sums', () => {
    const [m, n, k] = [30, 40, 300];
    const [a, b] = [sample(9, m * k, 'weights'), sample(10, k * n, 'weights')];
    const out = expectSame(({ algebra }, threads) => {
      const result = new Float32Array(m * n);
      algebra.bfloat16.multiplyInto(result, a, b, { m, n, k }, threads);
      return result;
    });
    out.forEach((value, index) => {
      const [i, j] = [Math.floor(index / n), index % n];
      let [exact, magnitude] = [0, 0];
      for (let p = 0; p < k; p++) {
        const term = (a[i * k + p] as number) * (b[p * n + j] as number);
        exact += term;
        magnitude += Math.abs(term);
      }
      // Half of 2^-7 for each input, and 2^-24 for each of k sums.
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(magnitude * ((1 + 2 ** -8) ** 2 - 1 + k * 2 ** -24 * 1.01));
    });
  });
});

describe('ends of the range', () => {
  const times = (a: readonly number[], b: readonly number[], start?: number): number => (expectSame(({ algebra }, threads) => {
    const out = new Float32Array([start ?? NaN]);
    algebra.bfloat16.multiplyInto(out, new Float32Array(a), new Float32Array(b), { m: 1, n: 1, k: a.length, accumulate: start !== undefined }, threads);
    return out;
  })[0] as number);

  it('rounds half to even, up to infinity', () => {
    expect(times([1 + 2 ** -8], [1])).toBe(1);
    expect(times([1 + 3 * 2 ** -8], [1])).toBe(1 + 2 ** -6);
    expect(times([1 + 2 ** -8 + 2 ** -23], [-1])).toBe(-1 - 2 ** -7);
    expect(times([3.4e38], [1])).toBe(Infinity);
    expect(times([-Infinity], [2])).toBe(-Infinity);
    expect(times([Infinity], [0])).toBeNaN();
    expect(times([NaN, 0], [0, 0])).toBeNaN();
  });

  it('takes inputs below 2^-56 as 0 and keeps every product of others', () => {
    expect(times([2 ** -56], [2 ** -56])).toBe(2 ** -112);
    expect(times([2 ** -56 * (1 - 2 ** -24)], [2 ** 100])).toBe(0);
    expect(times([2 ** -56 * (1 + 2 ** -7), 2 ** -56], [2 ** -56 * (1 + 2 ** -7), -(2 ** -56) * (1 + 2 ** -6)])).toBe(2 ** -126);
    expect(Object.is(times([-0], [1], -0), 0)).toBe(true);
  });

  it('starts from a multiple of 2^-126, which a sum of products already is', () => {
    expect(times([0], [1], 2 ** -126 * 1.5)).toBe(2 ** -125);
    expect(times([0], [1], -(2 ** -127) * 1.5)).toBe(-(2 ** -126));
    expect(times([0], [1], 2 ** -149)).toBe(0);
    expect(times([0], [1], 2 ** -103 * (1 + 2 ** -23))).toBe(2 ** -103 * (1 + 2 ** -23));
    expect(times([], [], 2 ** -149)).toBe(2 ** -149);
  });
});

describe('Gram matrices of bfloat16', () => {
  const columns = fc.integer({ min: 1, max: 140 });
  const rows = fc.integer({ min: 0, max: 30 });

  const grams = (s: number, f: (typeof FLAVOURS)[number], count: number, n: number, k: number) => {
    const [a, b] = [sample(s, count * n, f), sample(s + 1, count * k, f)];
    const cut = (count >> 2) * 2;
    const accumulate = (parts: readonly (readonly [number, number])[]) => expectSame(({ algebra }, threads) => {
      const out = new Float32Array(k * k + n * k);
      for (const [from, to] of parts) {
        algebra.bfloat16.accumulateGram(out.subarray(0, k * k), b.subarray(from * k, to * k), to - from, k, threads);
        algebra.bfloat16.accumulateCross(out.subarray(k * k), a.subarray(from * n, to * n), b.subarray(from * k, to * k), to - from, n, k, threads);
      }
      algebra.mirror(out.subarray(0, k * k), k);
      return out;
    });
    const inChunks = accumulate([[0, cut], [cut, count]]);
    expect(bytes(inChunks).equals(bytes(accumulate([[0, count]])))).toBe(true);
    const gram = new Float32Array(k * k);
    reference.algebra.bfloat16.multiplyInto(gram, b, b, { m: k, n: k, k: count, transposeA: true });
    expect(bytes(inChunks.subarray(0, k * k)).equals(bytes(gram))).toBe(true);
  };

  it('go on chunk by chunk, of an even number of rows, as if they were one', () => {
    fc.assert(fc.property(seed, flavour, rows, size, columns, grams), { numRuns: 12 });
    grams(5, 'weights', 91, 20, 200);
  });
});
