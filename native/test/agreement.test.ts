/** Every variant of the addon gives the bytes of the TypeScript kernels, whatever the thread count. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadKernels, variants } from '../ts/index.js';
import type { Kernels } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';
import { THREADS, expectSame, reference } from './same-bytes.js';
import { FLAVOURS, sample } from './samples.js';
import type { Flavour } from './samples.js';

ensureAddon();

const seed = fc.integer({ min: 0, max: 0xffffffff });
const flavour = fc.constantFrom(...FLAVOURS);
const finiteFlavour = fc.constantFrom<Flavour>('weights', 'ties', 'subnormal');

it('the addon runs at least its portable variant here', () => {
  expect(variants()).toContain('portable');
});

/** What memory holds that codes are put into. */
const DIRT = 0x5a;

describe.each(variants())('%s', (isa) => {
  const native = loadKernels({ allow: 'native', isa });

  const lpbqShape = fc.record({ n: fc.integer({ min: 1, max: 9 }), blocks: fc.integer({ min: 1, max: 7 }), block: fc.constantFrom(2, 6, 16, 32, 64, 300) });

  it('quantizes and expands LPBQ', () => {
    fc.assert(fc.property(seed, flavour, lpbqShape, (s, f, { n, blocks, block }) => {
      const w = sample(s, n * blocks * block, f);
      expectSame([native], (kernels, threads) => {
        const q = kernels.quantizeLpbq(w, n, blocks * block, block, threads);
        if (threads === 1) expect(kernels.quantizeLpbq(w, n, blocks * block, block, threads, q.codes.slice().fill(DIRT))).toEqual(q);
        return [q.codes, q.blockScale, q.channelScale, kernels.dequantizeLpbq(q, n, blocks * block, block, threads)];
      });
    }), { numRuns: 150 });
  });

  it('quantizes and expands per channel', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 150 }), fc.constantFrom(4 as const, 8 as const), (s, f, n, k, bits) => {
      const w = sample(s, n * k, f);
      expectSame([native], (kernels, threads) => {
        const q = kernels.quantizePerChannel(w, n, k, bits, threads);
        if (threads === 1) expect(kernels.quantizePerChannel(w, n, k, bits, threads, q.codes.slice().fill(DIRT))).toEqual(q);
        return [q.codes, q.scale, kernels.dequantizePerChannel(q, n, k, threads)];
      });
    }), { numRuns: 150 });
  });

  // Powers of two put the `ties` samples on exact halves; the others are any fp32, subnormals too.
  const scale = fc.oneof(fc.constantFrom(0.125, 0.5, 1), fc.float({ min: 2 ** -149, max: 8, noNaN: true }));

  it('quantizes on a grid', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 0, max: 200 }), scale, fc.integer({ min: 0, max: 65535 }), fc.constantFrom(8 as const, 16 as const), (s, f, length, step, zero, bits) => {
      const w = sample(s, length, f);
      const grid = { scale: step, zeroPoint: zero % 2 ** bits };
      expectSame([native], (kernels, threads) => {
        const codes = kernels.quantizeOnGrid(w, grid, bits, threads);
        if (threads === 1) expect(kernels.quantizeOnGrid(w, grid, bits, threads, codes.slice().fill(DIRT))).toEqual(codes);
        return [codes];
      });
    }), { numRuns: 300 });
  });

  it('finds ranges', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 0, max: 200 }), (s, f, length) => {
      const x = sample(s, length, f);
      expectSame([native], (kernels, threads) => Object.values(kernels.minMax(x, threads)));
    }));
    expect(native.minMax(new Float32Array([NaN, -0, -0]))).toEqual({ min: 0, max: 0 });
    expect(native.minMax(new Float32Array([NaN]))).toEqual({ min: Infinity, max: -Infinity });
  });

  it('finds what is not finite, wherever it is', () => {
    const length = 2 ** 17 + 7;
    fc.assert(fc.property(fc.nat(length - 1), fc.constantFrom(NaN, Infinity, -Infinity, -0, 3.4e38), (at, value) => {
      const x = sample(1, length, 'weights');
      x[at] = value;
      for (const kernels of [native, reference]) for (const threads of THREADS) expect(kernels.allFinite(x, threads)).toBe(Number.isFinite(value));
    }), { numRuns: 40 });
    for (const kernels of [native, reference]) expect(kernels.allFinite(new Float32Array())).toBe(true);
  });

  it('subtracts, also in the place of either operand', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 0, max: 200 }), (s, f, length) => {
      const [a, b] = [sample(s, length, f), sample(s + 1, length, f)];
      expectSame([native], (kernels, threads) => {
        const [left, right] = [a.slice(), b.slice()];
        return [kernels.subtract(a, b, threads), kernels.subtract(left, b, threads, left), kernels.subtract(a, right, threads, right)];
      });
    }), { numRuns: 60 });
    const [x, whole] = [sample(1, 2 ** 17 + 7, 'weights'), sample(2, 2 ** 17 + 7, 'weights')];
    for (const kernels of [native, reference]) {
      const expected = Float32Array.from(x, (value, i) => value - (whole[i] as number));
      for (const threads of THREADS) expect(Buffer.from(kernels.subtract(x, whole, threads).buffer).equals(Buffer.from(expected.buffer))).toBe(true);
      expect(() => kernels.subtract(x, whole.subarray(1))).toThrow('b has');
      expect(() => kernels.subtract(x.subarray(1), x.subarray(1), 1, x.subarray(0, -1))).toThrow('overlaps');
      expect(kernels.subtract(new Float32Array(), new Float32Array())).toEqual(new Float32Array());
    }
  });

  it('multiplies matrices', () => {
    const size = fc.integer({ min: 1, max: 45 });
    fc.assert(fc.property(seed, flavour, size, size, fc.integer({ min: 0, max: 40 }), fc.boolean(), (s, f, m, n, k, transposeB) => {
      const a = sample(s, m * k, f);
      const b = sample(s + 1, k * n, f);
      expectSame([native], (kernels, threads) => [kernels.sgemm(a, b, m, n, k, { transposeB, threads })]);
    }), { numRuns: 60 });
  });

  it('continues the chains of a product across cache blocks', () => {
    for (const [m, n, k] of [[1, 70, 600], [13, 1100, 257], [260, 33, 300]] as const) {
      const a = sample(m, m * k, 'weights');
      const b = sample(n, k * n, 'wide');
      for (const transposeB of [false, true]) expectSame([native], (kernels, threads) => [kernels.sgemm(a, b, m, n, k, { transposeB, threads })]);
    }
  });

  it('transforms by Walsh-Hadamard', () => {
    fc.assert(fc.property(seed, flavour, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 9 }), (s, f, rows, log) => {
      const x = sample(s, rows * 2 ** log, f);
      expectSame([native], (kernels, threads) => {
        const copy = x.slice();
        kernels.fwht(copy, rows, 2 ** log, threads);
        return [copy];
      });
    }));
  });

  it('widens every 16-bit pattern', () => {
    const patterns = Uint16Array.from({ length: 65536 + 5 }, (_, i) => i);
    for (const kernel of ['widenBf16', 'widenF16'] as const) {
      const words = (kernels: Kernels, threads: number): Uint8Array => new Uint8Array(kernels[kernel](patterns, threads).buffer);
      for (const threads of THREADS) expect(Buffer.compare(words(native, threads), words(reference, 1))).toBe(0);
      const out = new Float32Array(patterns.length);
      expect(native[kernel](patterns, 2, out)).toBe(out);
      expect(Buffer.compare(new Uint8Array(out.buffer), words(reference, 1))).toBe(0);
      expect(() => native[kernel](patterns, 2, out.subarray(1))).toThrow('out has 65540 elements');
    }
  });

  it('gives the same bytes when the work is large enough to be split between threads', () => {
    fc.assert(fc.property(seed, finiteFlavour, (s, f) => {
      const [n, k] = [301, 768];
      const w = sample(s, n * k, f);
      expectSame([native], (kernels, threads) => {
        const lpbq = kernels.quantizeLpbq(w, n, k, 32, threads);
        const channel = kernels.quantizePerChannel(w, n, k, 8, threads);
        const table = kernels.quantizeOnGrid(w, { scale: 2 ** -10, zeroPoint: 2048 }, 16, threads);
        const rotated = w.slice();
        kernels.fwht(rotated, n * 3, 256, threads);
        return [
          lpbq.codes, lpbq.blockScale, lpbq.channelScale, kernels.dequantizeLpbq(lpbq, n, k, 32, threads),
          channel.codes, channel.scale, kernels.dequantizePerChannel(channel, n, k, threads),
          table, ...Object.values(kernels.minMax(w, threads)), rotated,
        ];
      });
    }), { numRuns: 3 });
  });
});
