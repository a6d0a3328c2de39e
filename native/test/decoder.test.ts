/** The steps of a decoder block: every variant gives the bytes of TypeScript, and TypeScript what the formulas say. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtAddonPath } from '../ts/addon.js';
import { loadKernels, variants } from '../ts/index.js';
import type { DecoderKernels } from '../ts/index.js';
import type { RawKernels } from '../ts/kernels.js';
import { exponential } from '../ts/typescript/decoder/exponential.js';
import { ensureAddon } from './built-addon.js';
import { expectSame } from './same-bytes.js';
import { FLAVOURS, sample } from './samples.js';

ensureAddon();
const { decoder: reference } = loadKernels({ allow: 'typescript' });

/** `sample` at a size where softmax and SiLU have something to do. */
function activations(seed: number, length: number): Float32Array {
  return sample(seed, length, 'weights').map((x) => x * 40);
}

const ulp = (x: number): number => 2 ** Math.max(Math.floor(Math.log2(x)) - 23, -149);

describe('exp', () => {
  it('is within 2 ulp of the exact value over the whole range', () => {
    let worst = 0;
    for (let i = 0; i <= 200_000; i++) {
      const x = Math.fround(-104 + (i * 193) / 200_000);
      const exact = Math.exp(x);
      if (exact < 2 ** 128) worst = Math.max(worst, Math.abs(exponential(x) - exact) / ulp(exact));
    }
    expect(worst).toBeLessThan(2);
    expect(worst).toBeGreaterThan(0.4);
  });

  it('ends in 0 and infinity, is exact at 0 and keeps NaN', () => {
    expect([-Infinity, -1e9, -104, 0, -0, 89, Infinity, NaN].map(exponential)).toEqual([0, 0, 0, 1, 1, Infinity, Infinity, NaN]);
  });
});

describe('the TypeScript kernels', () => {
  it('normalize, rotate, attend and gate as the formulas in doubles do', () => {
    const [tokens, heads, kvHeads, headDim] = [7, 4, 2, 6];
    const [x, gain] = [activations(1, tokens * 20), sample(2, 20, 'weights')];
    const normed = Array.from(x, (value, i) => {
      const row = x.subarray(Math.floor(i / 20) * 20, Math.floor(i / 20) * 20 + 20);
      return (value / Math.sqrt(row.reduce((sum, y) => sum + y * y, 0) / 20 + 1e-5)) * (gain[i % 20] as number);
    });
    expectClose(reference.rmsNorm(x, gain, 1e-5), normed);

    const angles = Array.from({ length: (tokens * headDim) / 2 }, (_, i) => i * 0.37);
    const q = activations(3, tokens * heads * headDim);
    const rotated = Array.from(q, (value, i) => {
      const [half, at] = [headDim / 2, i % headDim];
      const angle = angles[Math.floor(i / (heads * headDim)) * half + (at % half)] as number;
      return at < half ? value * Math.cos(angle) - (q[i + half] as number) * Math.sin(angle) : (q[i - half] as number) * Math.sin(angle) + value * Math.cos(angle);
    });
    const turned = q.slice();
    reference.rotate(turned, tokens, headDim, Float32Array.from(angles, Math.cos), Float32Array.from(angles, Math.sin));
    expectClose(turned, rotated);

    const [k, v] = [activations(4, tokens * kvHeads * headDim), activations(5, tokens * kvHeads * headDim)];
    const attended = Array.from(q, (_, i) => {
      const [token, head, c] = [Math.floor(i / (heads * headDim)), Math.floor(i / headDim) % heads, i % headDim];
      const past = (j: number): number => (j * kvHeads + Math.floor(head / 2)) * headDim;
      const weights = Array.from({ length: token + 1 }, (_w, j) => Math.exp(dot(q.subarray(i - c, i - c + headDim), k.subarray(past(j))) / Math.sqrt(headDim)));
      return weights.reduce((sum, w, j) => sum + w * (v[past(j) + c] as number), 0) / weights.reduce((sum, w) => sum + w, 0);
    });
    expectClose(reference.causalAttention(q, k, v, { tokens, heads, kvHeads, headDim }), attended);

    const [gate, up] = [activations(6, 50), activations(7, 50)];
    const gated = Array.from(gate, (g, i) => (g / (1 + Math.exp(-g))) * (up[i] as number));
    reference.siluMultiply(gate, up);
    expectClose(gate, gated);
  });

  it('add an array of the same length, or one row to every row', () => {
    const x = Float32Array.of(1, 2, 3, 4);
    reference.add(x, Float32Array.of(10, 20));
    expect([...x]).toEqual([11, 22, 13, 24]);
    reference.add(x, Float32Array.of(1, 0, 0, 1));
    expect([...x]).toEqual([12, 22, 13, 25]);
  });
});

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

function expectClose(actual: Float32Array, expected: readonly number[]): void {
  const largest = Math.max(...expected.map(Math.abs));
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => { expect(Math.abs(value - (expected[i] as number)), `element ${i}`).toBeLessThan(2e-6 * largest); });
}

describe.each(variants())('%s', (isa) => {
  const native = loadKernels({ allow: 'native', isa });
  const seed = fc.integer({ min: 0, max: 0xffffffff });
  const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

  it('normalizes, rotates, gates and adds as TypeScript does', () => {
    fc.assert(fc.property(seed, fc.constantFrom(...FLAVOURS), size(9), size(5), size(40), (s, flavour, tokens, heads, half) => {
      const columns = heads * half * 2;
      const [x, row, table] = [sample(s, tokens * columns, flavour), sample(s + 1, columns, flavour), sample(s + 2, tokens * half, flavour)];
      expectSame([native], ({ decoder }, threads) => {
        const [rotated, gated, added] = [x.slice(), x.map((value) => value * 100), x.slice()];
        decoder.rotate(rotated, tokens, half * 2, table, table.slice().reverse(), threads);
        decoder.siluMultiply(gated, x, threads);
        decoder.add(added, row, threads);
        return [decoder.rmsNorm(x, row, 1e-5, threads), rotated, gated, added];
      });
    }), { numRuns: 60 });
  });

  it('goes back through gates and softmax as TypeScript does', () => {
    fc.assert(fc.property(seed, fc.constantFrom('weights', 'ties', 'subnormal'), size(70), (s, flavour, tokens) => {
      const [a, b, gradient] = [sample(s, tokens * tokens, flavour).map((x) => x * 30), sample(s + 1, tokens * tokens, flavour), sample(s + 2, tokens * tokens, flavour)];
      expectSame([native], ({ decoder }, threads) => {
        const [gate, up, scores, back] = [a.slice(), b.slice(), a.slice(), gradient.slice()];
        decoder.siluMultiplyBackward(gate, up, gradient, threads);
        decoder.causalSoftmaxBackward(scores, back, tokens, 0.3, threads);
        return [gate, up, scores, back];
      });
    }), { numRuns: 25 });
  });

  it('attends as TypeScript does, whatever lies in the tokens', () => {
    const shape = fc.record({ tokens: size(70), kvHeads: size(2), members: size(3), headDim: size(21) });
    fc.assert(fc.property(seed, fc.constantFrom(...FLAVOURS), shape, (s, flavour, { tokens, kvHeads, members, headDim }) => {
      const heads = kvHeads * members;
      const [q, k, v] = [sample(s, tokens * heads * headDim, flavour), sample(s + 1, tokens * kvHeads * headDim, flavour), sample(s + 2, tokens * kvHeads * headDim, flavour)];
      expectSame([native], ({ decoder }, threads) => [decoder.causalAttention(q.map((x) => x * 30), k, v, { tokens, heads, kvHeads, headDim }, threads)]);
    }), { numRuns: 25 });
  });

  it('attends as TypeScript does at and behind the ends of tiles and slices', () => {
    for (const tokens of [32, 33, 64, 65, 150]) {
      const [q, k, v] = [activations(tokens, tokens * 18), activations(1, tokens * 9), activations(2, tokens * 9)];
      expectSame([native], ({ decoder }, threads) => [decoder.causalAttention(q, k, v, { tokens, heads: 2, kvHeads: 1, headDim: 9 }, threads)]);
    }
  });

  it('gives the same bytes when the work is split between threads', () => {
    const one = largeResults(native.decoder, 1);
    for (const threads of [2, 3]) expect(largeResults(native.decoder, threads)).toEqual(one);
  });

  it('a token does not see what comes after it, not even NaN', () => {
    const [tokens, headDim] = [40, 8];
    const [q, k, v] = [activations(1, tokens * headDim), activations(2, tokens * headDim), activations(3, tokens * headDim)];
    const shape = { tokens, heads: 1, kvHeads: 1, headDim };
    const whole = native.decoder.causalAttention(q, k, v, shape);
    k.fill(NaN, 20 * headDim);
    v.fill(Infinity, 20 * headDim);
    const cut = native.decoder.causalAttention(q, k, v, shape);
    expect(cut.subarray(0, 20 * headDim)).toEqual(whole.subarray(0, 20 * headDim));
    expect(cut.subarray(20 * headDim).every(Number.isNaN)).toBe(true);
  });

  it.each<[string, (decoder: DecoderKernels) => unknown]>([
    ['rmsNorm with a gain that does not divide x', (decoder) => decoder.rmsNorm(new Float32Array(7), new Float32Array(2), 1e-5)],
    ['rmsNorm without a gain', (decoder) => decoder.rmsNorm(new Float32Array(0), new Float32Array(0), 1e-5)],
    ['rmsNorm with a negative epsilon', (decoder) => decoder.rmsNorm(new Float32Array(2), new Float32Array(2), -1)],
    ['rotate with an odd head', (decoder) => decoder.rotate(new Float32Array(6), 2, 3, new Float32Array(3), new Float32Array(3))],
    ['rotate with a short table', (decoder) => decoder.rotate(new Float32Array(8), 2, 4, new Float32Array(4), new Float32Array(2))],
    ['rotate with part of a head', (decoder) => decoder.rotate(new Float32Array(9), 2, 4, new Float32Array(4), new Float32Array(4))],
    ['causalAttention with a fraction of heads', (decoder) => decoder.causalAttention(new Float32Array(12), new Float32Array(8), new Float32Array(8), { tokens: 1, heads: 3, kvHeads: 2, headDim: 4 })],
    ['causalAttention with short values', (decoder) => decoder.causalAttention(new Float32Array(8), new Float32Array(8), new Float32Array(7), { tokens: 1, heads: 2, kvHeads: 2, headDim: 4 })],
    ['causalAttention with more heads than can be counted', (decoder) => decoder.causalAttention(new Float32Array(0), new Float32Array(0), new Float32Array(0), { tokens: 0, heads: 65537, kvHeads: 1, headDim: 4 })],
    ['siluMultiply with another length', (decoder) => decoder.siluMultiply(new Float32Array(3), new Float32Array(2))],
    ['siluMultiplyBackward with a short gradient', (decoder) => decoder.siluMultiplyBackward(new Float32Array(3), new Float32Array(3), new Float32Array(2))],
    ['causalSoftmaxBackward with part of a row', (decoder) => decoder.causalSoftmaxBackward(new Float32Array(4), new Float32Array(3), 2, 1)],
    ['add with part of a row', (decoder) => decoder.add(new Float32Array(3), new Float32Array(2))],
    ['add with no threads', (decoder) => decoder.add(new Float32Array(2), new Float32Array(2), 0)],
  ])('refuses %s', (_, call) => {
    for (const decoder of [native.decoder, reference]) expect(() => call(decoder)).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
  });

  it('takes arrays without elements', () => {
    const none = new Float32Array(0);
    for (const decoder of [native.decoder, reference]) {
      expect(decoder.rmsNorm(none, new Float32Array(4), 1e-5)).toEqual(none);
      expect(decoder.causalAttention(none, none, none, { tokens: 0, heads: 2, kvHeads: 1, headDim: 4 })).toEqual(none);
      decoder.rotate(none, 0, 4, none, none);
      decoder.siluMultiply(none, none);
      decoder.add(none, none);
    }
  });
});

it('the addon itself refuses wrong lengths and shapes', () => {
  const addon = createRequire(import.meta.url)(builtAddonPath()) as { kernels(isa: string): RawKernels };
  const { decoder } = addon.kernels('portable');
  const f32 = new Float32Array(8);
  expect(() => decoder.rmsNorm(f32, f32, 0, f32, 2, 4, 1)).toThrow('argument 1 has another length');
  expect(() => decoder.rotate(f32, f32, f32, 1, 1, 8, 1)).toThrow('argument 1 has another length');
  expect(() => decoder.rotate(f32.subarray(0, 3), f32, f32, 1, 1, 3, 1)).toThrow('even size');
  expect(() => decoder.causalAttention(f32, f32, f32.subarray(1), f32, 1, 2, 2, 4, 1, 1)).toThrow('argument 2 has another length');
  expect(() => decoder.causalAttention(f32, f32, f32, f32, 1, 2, 0, 4, 1, 1)).toThrow('multiple of key heads');
  expect(() => decoder.causalAttention(f32, f32, f32, f32, 2 ** 30, 2 ** 30, 1, 16, 1, 1)).toThrow('at most 65536 heads');
  expect(() => decoder.siluMultiply(f32, f32.subarray(1), 1)).toThrow('argument 1 has another length');
  expect(() => decoder.add(f32, f32, 2, 8, 1)).toThrow('argument 0 has another length');
  expect(() => decoder.siluMultiplyBackward(f32, f32, f32.subarray(1), 1)).toThrow('argument 2 has another length');
  expect(() => decoder.causalSoftmaxBackward(f32, f32, 3, 1, 1)).toThrow('argument 0 has another length');
});

/** Digests of the results of arrays that are large enough to be split. */
function largeResults(decoder: DecoderKernels, threads: number): readonly string[] {
  const [tokens, heads, kvHeads, headDim] = [260, 6, 2, 32];
  const [q, k, v] = [activations(1, tokens * heads * headDim), activations(2, tokens * kvHeads * headDim), activations(3, tokens * kvHeads * headDim)];
  const [gate, sum, turned] = [activations(4, 200_000), activations(5, 200_000), q.slice()];
  decoder.siluMultiply(gate, sum, threads);
  decoder.add(sum, gate, threads);
  decoder.add(sum, gate.subarray(0, 1000), threads);
  const [back, other] = [gate.slice(0, 160_000), sum.slice(0, 160_000)];
  decoder.siluMultiplyBackward(back, other, gate.subarray(0, 160_000), threads);
  decoder.causalSoftmaxBackward(back, other, 400, 0.5, threads);
  decoder.rotate(turned, tokens, headDim, gate.subarray(0, (tokens * headDim) / 2), sum.subarray(0, (tokens * headDim) / 2), threads);
  const results = [gate, sum, turned, back, other, decoder.rmsNorm(sum, gate.subarray(0, 1000), 1e-5, threads), decoder.causalAttention(q, k, v, { tokens, heads, kvHeads, headDim }, threads)];
  return results.map((result) => createHash('sha256').update(result).digest('hex'));
}
