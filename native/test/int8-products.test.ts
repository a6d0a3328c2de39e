/** Products of codes with rows in block floating point of 8 bits: every variant gives the bytes of the TypeScript reference. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ScaleGrid, loadKernels } from '../ts/index.js';
import { fma32 } from '../ts/typescript/fused-multiply-add.js';
import { ensureAddon } from './built-addon.js';
import { type BlockRule, blockOf } from './block-rule.js';
import { oneInEveryVariant } from './every-variant.js';
import { FLAVOURS, randomCodes, sample } from './samples.js';

ensureAddon();
const RULE: BlockRule = { steps: 32, bound: 127 };

type Shape = readonly [m: number, n: number, k: number];

const gridOf = (s: number, [, n, k]: Shape, block: number, bits = 4): ScaleGrid => ({ scale: sample(s, (n * k) / block, 'weights').map(Math.abs), block, bits });

function product(x: Float32Array, codes: Int8Array, grid: ScaleGrid, [m, n, k]: Shape): Float32Array {
  return oneInEveryVariant(({ algebra }, threads) => {
    // What lies around the result stays.
    const memory = new Float32Array(m * n + 3).fill(7);
    algebra.multiplyByCodes(memory.subarray(1, 1 + m * n), x, codes, grid, { m, n, k }, threads);
    return memory;
  }).subarray(1, 1 + m * n);
}

describe('products with codes', () => {
  it('are the same in every variant, whatever is left of tiles', () => {
    const size = fc.integer({ min: 1, max: 45 });
    const shapes = fc.tuple(size, size, fc.integer({ min: 0, max: 6 }), fc.constantFrom(32, 64, 96));
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(...FLAVOURS), shapes, (s, flavour, [m, n, blocks, block]) => {
      const shape: Shape = [m, n, blocks * block];
      product(sample(s, m * shape[2], flavour), randomCodes(s + 1, n * shape[2]), gridOf(s + 2, shape, block), shape);
    }), { numRuns: 40 });
  });

  it('go on across the blocks of the caches', () => {
    for (const [shape, block] of [[[7, 1040, 1152], 32], [[245, 17, 1056], 1056], [[123, 50, 2048], 64]] as const) {
      product(sample(1, shape[0] * shape[2], 'wide'), randomCodes(2, shape[1] * shape[2]), gridOf(3, shape, block), shape);
    }
  });

  it('are the chains of sums of integers, on grids of blocks, of whole rows, and of fewer bits', () => {
    for (const [block, bits] of [[32, 4], [96, 4], [192, 3], [64, 2]] as const) {
      const shape: Shape = [3, 5, 192];
      const [m, n, k] = shape;
      const [x, codes, grid] = [sample(7, m * k, 'weights'), randomCodes(8, n * k, bits), gridOf(9, shape, block, bits)];
      product(x, codes, grid, shape).forEach((value, index) => {
        const [i, j] = [Math.floor(index / n), index % n];
        let chain = 0;
        for (let start = 0; start < k; start += RULE.steps) {
          const { integers, scale } = blockOf([...x.subarray(i * k + start, i * k + start + RULE.steps)], RULE);
          const sum = integers.reduce((all, q, p) => all + q * (codes[j * k + start + p] as number), 0);
          chain = fma32(sum, Math.fround(scale * (grid.scale[Math.floor((j * k + start) / block)] as number)), chain);
        }
        expect(value).toBe(chain);
      });
    }
  });

  it('are those of float64 but for half a step of each element', () => {
    const shape: Shape = [30, 40, 256];
    const [m, n, k] = shape;
    const [x, codes, grid] = [sample(9, m * k, 'weights'), randomCodes(10, n * k), gridOf(11, shape, 32)];
    product(x, codes, grid, shape).forEach((value, index) => {
      const [i, j] = [Math.floor(index / n), index % n];
      let [exact, bound] = [0, 0];
      for (let start = 0; start < k; start += RULE.steps) {
        const row = x.subarray(i * k + start, i * k + start + RULE.steps);
        const step = Math.max(...row.map(Math.abs)) / RULE.bound;
        row.forEach((element, p) => {
          const weight = (codes[j * k + start + p] as number) * (grid.scale[(j * k + start) / 32] as number);
          exact += element * weight;
          bound += Math.abs(weight) * (step / 2) * (1 + 2 ** -10) + Math.abs(element * weight) * 2 ** -18;
        });
      }
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(bound);
    });
  });

  it('hold the largest sums that there are, of either sign', () => {
    const shape: Shape = [2, 2, 64];
    const x = Float32Array.from({ length: 128 }, (_, i) => (i < 64 ? 127 : -127));
    const codes = Int8Array.from({ length: 128 }, (_, i) => (i < 64 ? -8 : 7));
    const out = product(x, codes, { scale: Float32Array.of(1, 1), block: 64, bits: 4 }, shape);
    expect([...out]).toEqual([-8 * 127 * 64, 7 * 127 * 64, 8 * 127 * 64, -7 * 127 * 64]);
  });
});

describe('ends of the range of rows', () => {
  const times = (x: readonly number[], code: number): number => {
    const row = Float32Array.from({ length: 32 }, (_, i) => x[i] ?? 0);
    return product(row, Int8Array.from({ length: 32 }, (_, i) => (i === 1 ? code : 0)), { scale: Float32Array.of(1), block: 32, bits: 4 }, [1, 1, 32])[0] as number;
  };

  it('rounds half to even, on the scale of the largest of a block', () => {
    expect([0.5, 1.5, -2.5, 0.75, 126.5].map((x) => times([127, x], 1))).toEqual([0, 2, -2, 1, 126]);
  });

  it('makes NaN of what takes a block that is not finite, and of nothing else', () => {
    const shape: Shape = [9, 17, 96];
    const [m, n, k] = shape;
    for (const bad of [NaN, Infinity, -Infinity]) {
      const x = sample(11, m * k, 'weights');
      x[4 * k + 40] = bad;
      product(x, randomCodes(12, n * k), gridOf(13, shape, 32), shape).forEach((value, index) => { expect(Number.isNaN(value)).toBe(Math.floor(index / n) === 4); });
    }
  });

  it('takes blocks below 2^-100 as 0', () => {
    expect(times([0, 2 ** -100], 1)).toBeCloseTo(2 ** -100, 40);
    expect(times([0, 2 ** -100], 1)).not.toBe(0);
    expect(times([0, 2 ** -100 * (1 - 2 ** -24)], 7)).toBe(0);
    expect(times([0, 3e38], 7)).toBe(Infinity);
  });
});

describe('rows that are rounded beforehand', () => {
  const rounded = (x: Float32Array): { readonly codes: Int8Array; readonly scale: Float32Array } => {
    const blocks = x.length / RULE.steps;
    const both = oneInEveryVariant(({ algebra }, threads) => {
      const [codes, scale] = [new Int8Array(x.length), new Float32Array(blocks)];
      algebra.roundBlocks(x, codes, scale, threads);
      return Float32Array.from([...codes, ...scale]);
    });
    return { codes: Int8Array.from(both.subarray(0, x.length)), scale: both.subarray(x.length) };
  };

  it('are the same in every variant, whatever is left of vectors', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(...FLAVOURS), fc.integer({ min: 0, max: 40 }), (s, flavour, blocks) => { rounded(sample(s, blocks * RULE.steps, flavour)); }), { numRuns: 40 });
    rounded(sample(3, 1000 * RULE.steps, 'special'));
  });

  it('follow the stated rule; a block that is not finite has codes 0 and the scale NaN', () => {
    const x = sample(5, 6 * RULE.steps, 'weights');
    x[40] = Infinity;
    x.fill(0, 64, 96);
    const { codes, scale } = rounded(x);
    for (const block of [0, 3, 4, 5]) {
      const wanted = blockOf([...x.subarray(block * RULE.steps, (block + 1) * RULE.steps)], RULE);
      expect([...codes.subarray(block * RULE.steps, (block + 1) * RULE.steps)]).toEqual(wanted.integers.map((q) => q + 0));
      expect(scale[block]).toBe(wanted.scale);
    }
    expect([...codes.subarray(32, 96)].every((code) => code === 0)).toBe(true);
    expect([scale[1], scale[2]]).toEqual([NaN, 0]);
  });

  it('round to the same codes again, and give the same products but for the last bit of their scales', () => {
    const shape: Shape = [20, 9, 128];
    const [m, n, k] = shape;
    const x = sample(6, m * k, 'weights');
    const { codes, scale } = rounded(x);
    const again = x.map((_, i) => (codes[i] as number) * (scale[Math.floor(i / RULE.steps)] as number));
    expect(rounded(again).codes).toEqual(codes);
    const [weight, grid] = [randomCodes(7, n * k), gridOf(8, shape, 32)];
    const [direct, late] = [product(x, weight, grid, shape), product(again, weight, grid, shape)];
    const largest = Math.max(...direct.map(Math.abs));
    direct.forEach((value, i) => { expect(Math.abs(value - (late[i] as number))).toBeLessThanOrEqual(2 ** -21 * largest); });
  });
});

describe('what fits', () => {
  const { algebra } = loadKernels();

  it('is a grid of at most four bits, in blocks of 32 or a multiple', () => {
    expect(([[32, 4], [64, 2], [576, 4], [16, 4], [48, 4], [32, 8]] as const).map(([block, bits]) => algebra.readsGrid({ block, bits }))).toEqual([true, true, true, false, false, false]);
  });

  it('refuses to round what is no whole number of blocks, or into arrays of other sizes', () => {
    const memory = new Float32Array(64);
    for (const [x, codes, scale] of [[33, 33, 1], [64, 32, 2], [64, 64, 1]] as const) {
      expect(() => { algebra.roundBlocks(new Float32Array(x), new Int8Array(codes), new Float32Array(scale)); }).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }) as Error);
    }
    expect(() => { algebra.roundBlocks(memory, new Int8Array(memory.buffer, 0, 64), new Float32Array(2)); }).toThrow('overlap');
  });

  it('is no other grid, nor are arrays of other sizes', () => {
    const call = (k: number, block: number, bits: number, length = 2 * k, out = new Float32Array(4)): void => {
      algebra.multiplyByCodes(out, new Float32Array(2 * k), new Int8Array(length), { scale: new Float32Array((2 * k) / block), block, bits }, { m: 2, n: 2, k });
    };
    expect(() => { call(64, 32, 4); }).not.toThrow();
    for (const [arguments_, why] of [[[64, 16, 4], 'multiples of 32'], [[64, 32, 8], 'at most 4 bits'], [[64, 32, 4, 127], 'codes has 127 elements'], [[64, 32, 4, 128, new Float32Array(5)], 'out has 5 elements']] as const) {
      expect(() => { call(...(arguments_ as unknown as Parameters<typeof call>)); }).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT', why: expect.stringContaining(why) as string }) as Error);
    }
  });
});
