/** Steps of learned weights: the same bytes in every variant and on any number of threads, and gradients that are those of the formulas. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtAddonPath } from '../ts/addon.js';
import { type AdaScaleLayer, type Reconstruction, loadKernels, symmetricRange, variants } from '../ts/index.js';
import type { RawKernels } from '../ts/kernels.js';
import { ensureAddon } from './built-addon.js';
import { bytes } from './bytes.js';
import { expectSame } from './same-bytes.js';
import { sample } from './samples.js';

ensureAddon();
const { reconstruction: reference, solvers, ...kernels } = loadKernels({ allow: 'typescript' });

/** Sizes on both sides of a vector and of its parts. */
const shapes = fc.record({ seed: fc.integer({ min: 0, max: 2 ** 31 }), n: fc.constantFrom(1, 5, 19), blocks: fc.integer({ min: 1, max: 4 }), block: fc.constantFrom(2, 16, 21, 48), bits: fc.constantFrom(3, 4, 8) });

type Shape = { readonly seed: number; readonly n: number; readonly blocks: number; readonly block: number; readonly bits: number };

/** Min-max ranges, and parameters as `value` gives them for a seed and a length. */
function layerOf({ seed, n, blocks, block, bits }: Shape, value: (seed: number, length: number) => Float32Array): AdaScaleLayer {
  const k = blocks * block;
  const w = sample(seed, n * k, 'weights');
  const range = new Float32Array(2 * n * blocks);
  for (let i = 0; i < n * blocks; i++) {
    const own = w.subarray(i * block, (i + 1) * block);
    const { min, max } = symmetricRange(Math.min(0, ...own), Math.max(0, ...own), bits);
    range[i] = min;
    range[n * blocks + i] = max;
  }
  const parameters = (index: number, count: number): Float32Array => {
    const all = new Float32Array(3 * count);
    all.set(value(seed + index, count));
    return all;
  };
  return { w, n, k, block, bits, range, beta: parameters(1, n * blocks), gamma: parameters(2, n * blocks), s2: parameters(3, n * k), s3: parameters(4, n) };
}

const copyOf = (layer: AdaScaleLayer): AdaScaleLayer => ({ ...layer, beta: layer.beta.slice(), gamma: layer.gamma.slice(), s2: layer.s2.slice(), s3: layer.s3.slice() });

describe.each(variants())('%s', (isa) => {
  const native = loadKernels({ allow: 'native', isa });

  it('takes steps of AdaScale as TypeScript does', () => {
    fc.assert(fc.property(shapes, (shape) => {
      const layer = layerOf(shape, (seed, length) => sample(seed, length, 'weights').map((x) => x * 4));
      const gradient = sample(shape.seed + 9, layer.w.length, 'ties');
      expectSame([native], ({ reconstruction }, threads) => {
        const own = { ...copyOf(layer), threads };
        const [folded, values] = [new Float32Array(layer.w.length), new Float32Array(layer.w.length)];
        for (let step = 1; step <= 3; step++) reconstruction.adaScaleStep(own, reconstruction.adaScaleGrid(own), gradient, { range: 0.3, weight: 0.2, step });
        const scale = reconstruction.adaScaleGrid(own);
        reconstruction.adaScaleValues(own, scale, true, folded);
        reconstruction.adaScaleValues(own, scale, false, values);
        return [scale, folded, values, own.beta, own.gamma, own.s2, own.s3];
      });
    }), { numRuns: 20 });
  });

  it('takes steps of SignRound as TypeScript does', () => {
    fc.assert(fc.property(shapes, ({ seed, n, blocks, block, bits }) => {
      const k = blocks * block;
      const [w, gradient] = [sample(seed, n * k, 'ties'), sample(seed + 1, n * k, 'ties')];
      const scale = sample(seed + 2, n * blocks, 'weights').map((x) => Math.abs(x) + 0.25);
      expectSame([native], ({ reconstruction }, threads) => {
        const layer = { w, n, k, grid: { scale, block, bits }, v: sample(seed + 3, n * k, 'weights').map((x) => x / 2), threads };
        const out = new Float32Array(n * k);
        for (const rate of [0.125, 0.01]) reconstruction.signRoundStep(layer, gradient, rate);
        reconstruction.signRoundValues(layer, out);
        return [layer.v, out];
      });
    }), { numRuns: 20 });
  });

  it('gives the same bytes when the rows of a large weight are split', () => {
    const layer = layerOf({ seed: 5, n: 300, blocks: 16, block: 32, bits: 4 }, (seed, length) => sample(seed, length, 'weights'));
    const gradient = sample(6, layer.w.length, 'weights');
    const after = (threads: number): readonly Buffer[] => {
      const own = { ...copyOf(layer), threads };
      native.reconstruction.adaScaleStep(own, native.reconstruction.adaScaleGrid(own), gradient, { range: 0.01, weight: 0.01, step: 1 });
      return [own.beta, own.gamma, own.s2, own.s3].map(bytes);
    };
    const one = after(1);
    after(2).forEach((array, i) => { expect(array.equals(one[i] as Buffer)).toBe(true); });
  });

  it.each<[string, (reconstruction: Reconstruction, layer: AdaScaleLayer) => unknown]>([
    ['a block that does not divide k', (r, layer) => r.adaScaleGrid({ ...layer, block: 5 })],
    ['bits that are none', (r, layer) => r.adaScaleGrid({ ...layer, bits: 9 })],
    ['parameters without moments', (r, layer) => r.adaScaleValues({ ...layer, s2: layer.w }, new Float32Array(8), false, layer.w)],
    ['a short gradient', (r, layer) => r.adaScaleStep(layer, new Float32Array(8), new Float32Array(3), { range: 1, weight: 1, step: 1 })],
    ['step 0', (r, layer) => r.adaScaleStep(layer, new Float32Array(8), layer.w, { range: 1, weight: 1, step: 0 })],
    ['short offsets', (r, { w, n, k }) => r.signRoundStep({ w, n, k, grid: { scale: new Float32Array(8), block: 4, bits: 4 }, v: new Float32Array(3) }, w, 1)],
    ['another grid', (r, { w, n, k }) => r.signRoundValues({ w, n, k, grid: { scale: new Float32Array(7), block: 4, bits: 4 }, v: w }, w)],
  ])('refuses %s', (_, call) => {
    const layer = layerOf({ seed: 1, n: 4, blocks: 2, block: 4, bits: 4 }, (__, length) => new Float32Array(length));
    for (const { reconstruction } of [native, { reconstruction: reference }]) expect(() => call(reconstruction, layer)).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
  });
});

describe('AdaScale', () => {
  it.each([[4, 4], [8, 8]] as const)('without parameters is min-max per channel, to the bit, %i bits', (bits) => {
    const [n, k] = [9, 40];
    const layer = layerOf({ seed: 3, n, blocks: 1, block: k, bits }, (_, length) => new Float32Array(length));
    // A dead row and one below the scale floor.
    [0, Math.fround(1e-9)].forEach((value, row) => {
      const { min, max } = symmetricRange(0, value, bits);
      layer.w.fill(value, row * k, (row + 1) * k);
      [layer.range[row], layer.range[n + row]] = [min, max];
    });
    const { codes, scale } = kernels.quantizePerChannel(layer.w, n, k, bits);
    expect(reference.adaScaleGrid(layer)).toEqual(scale);
    const out = new Float32Array(n * k);
    reference.adaScaleValues(layer, scale, false, out);
    expect(out).toEqual(kernels.dequantizePerChannel({ codes, scale }, n, k));
  });

  it('folded and rounded to nearest gives the values, to the bit', () => {
    const layer = layerOf({ seed: 11, n: 6, blocks: 3, block: 32, bits: 4 }, (seed, length) => sample(seed, length, 'weights'));
    const scale = reference.adaScaleGrid(layer);
    const [folded, values] = [new Float32Array(layer.w.length), new Float32Array(layer.w.length)];
    reference.adaScaleValues(layer, scale, true, folded);
    reference.adaScaleValues(layer, scale, false, values);
    const codes = solvers.roundToGrid({ w: folded, n: layer.n, k: layer.k }, { scale, block: 32, bits: 4 });
    expect(values).toEqual(Float32Array.from(codes, (code, i) => code * (scale[Math.floor(i / 32)] as number)));
    expect(folded).not.toEqual(layer.w);
  });
});

it('the addon itself refuses wrong lengths and shapes', () => {
  const { reconstruction } = (createRequire(import.meta.url)(builtAddonPath()) as { kernels(isa: string): RawKernels }).kernels('portable');
  const f = (length: number) => new Float32Array(length);
  expect(() => reconstruction.adaScaleGrid(f(2), 4, f(4), f(6), f(5), 1)).toThrow('argument 4 has another length');
  expect(() => reconstruction.adaScaleGrid(f(2), 1, f(4), f(6), f(6), 1)).toThrow('bits must be');
  expect(() => reconstruction.adaScaleValues(f(8), 2, 4, f(2), 3, 4, f(4), f(6), f(6), f(24), f(6), false, f(8), 1)).toThrow('block size');
  expect(() => reconstruction.adaScaleStep(f(8), 2, 4, f(2), 4, 4, f(4), f(6), f(6), f(24), f(6), f(8), 1, 1, 1, f(1), 1)).toThrow('argument 15 has another length');
  expect(() => reconstruction.signRoundValues(f(8), 2, 4, f(2), 4, 4, f(7), f(8), 1)).toThrow('argument 6 has another length');
  expect(() => reconstruction.signRoundStep(f(8), 2, 4, f(2), 4, 4, f(8), 1, f(9), 1)).toThrow('argument 8 has another length');
});
