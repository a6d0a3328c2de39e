/** Layers that are quantized already: multiplied as codes where a recipe rounds tokens to 8 bits and their grid can be read. */
import { type ScaleGrid, loadKernels } from '@tundish/native';
import { describe, expect, it, test } from 'vitest';
import { LayerSensitivity } from '../src/engine/layer-sensitivity.js';
import { type BlockContext, applyLinear } from '../src/forward/block-forward.js';
import { type BlockShape, type BlockWeights, LINEAR_ROLES, type Linear, linearDims } from '../src/forward/block-weights.js';
import { packNibbles } from '../src/packed-codes.js';
import { TOKENS, noise, rope, weightsOf } from './small-block.js';

const kernels = loadKernels();
const { algebra, solvers } = kernels;
const SHAPE: BlockShape = { hidden: 64, heads: 4, kvHeads: 2, headDim: 4, ffn: 96, epsilon: 1e-5 };
const { out: n, in: k } = linearDims('down_proj', SHAPE);
const x = noise(1, TOKENS * k);

/** A weight [n, k] rounded to `bits` in blocks of `block`, as the quantized model has it. */
function quantized(w: Float32Array, rows: number, columns: number, block: number, bits: number): Linear & Required<Pick<Linear, 'coded'>> {
  const grid: ScaleGrid = { scale: new Float32Array(w.length / block).fill(1 / (2 ** bits - 1)), block, bits };
  const codes = solvers.roundToGrid({ w, n: rows, k: columns }, grid);
  return { weight: solvers.valuesOnGrid(codes, grid), coded: { codes, grid } };
}

const context = (change: Partial<BlockContext>): BlockContext => ({ kernels, shape: SHAPE, threads: 2, products: algebra.int16, ...change });
const apply = (layer: Linear, change: Partial<BlockContext> = {}): Float32Array => applyLinear(context(change), x, 'down_proj', layer);

/** |a - b| / |b|. */
const distance = (a: Float32Array, b: Float32Array): number => Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / b.reduce((sum, value) => sum + value ** 2, 0));

describe('a linear layer', () => {
  const layer = quantized(noise(2, n * k, 0.5), n, k, 32, 4);
  const plain = apply({ weight: layer.weight });

  it('multiplies its codes where it is asked to, near the product with its weight, bias and all', () => {
    const wanted = new Float32Array(TOKENS * n);
    algebra.multiplyByCodes(wanted, x, layer.coded.codes, layer.coded.grid, { m: TOKENS, n, k });
    const byCodes = apply(layer, { byCodes: true });
    expect(byCodes).toEqual(wanted);
    expect(byCodes).not.toEqual(plain);
    expect(distance(byCodes, plain)).toBeLessThan(0.01);
    const bias = noise(3, n);
    const expected = wanted.map((value, i) => Math.fround(value + (bias[i % n] as number)));
    expect(apply({ ...layer, bias }, { byCodes: true })).toEqual(expected);
  });

  it('multiplies its weight without that, without codes, and on a grid of more bits or smaller blocks', () => {
    expect(apply(layer)).toEqual(plain);
    expect(apply({ weight: layer.weight }, { byCodes: true })).toEqual(plain);
    for (const [block, bits] of [[16, 4], [48, 4], [32, 8]] as const) {
      const other = quantized(noise(2, n * k, 0.5), n, k, block, bits);
      expect(apply(other, { byCodes: true })).toEqual(apply({ weight: other.weight }));
    }
  });
});

test('codes lie two in a byte, wherever in memory they come from and however many there are', () => {
  const memory = Int8Array.from({ length: 64 }, (_, i) => ((i * 7 + (i >> 3)) % 16) - 8);
  for (let from = 0; from < 5; from++) {
    for (let length = 0; length <= 58; length += 2) {
      const codes = memory.subarray(from, from + length);
      expect(packNibbles(codes)).toEqual(Uint8Array.from({ length: length / 2 }, (_, i) => (codes[2 * i] as number) + 8 + 16 * ((codes[2 * i + 1] as number) + 8)));
    }
  }
});

test('what a layer changes is measured in float32 all the same', () => {
  const weights: BlockWeights = weightsOf(SHAPE, true);
  const rounded = Object.fromEntries(LINEAR_ROLES.map((role) => {
    const dims = linearDims(role, SHAPE);
    return [role, dims.in % 32 === 0 ? quantized(weights.linears[role].weight, dims.out, dims.in, 32, 4) : weights.linears[role]];
  })) as Record<(typeof LINEAR_ROLES)[number], Linear>;
  const measured = [true, false].map((byCodes) => {
    const measure = new LayerSensitivity(context({ byCodes }), weights, rounded, rope);
    measure.add(noise(4, TOKENS * SHAPE.hidden));
    return measure.of('down_proj');
  });
  expect(measured[0]).toBeGreaterThan(0);
  expect(measured[0]).toBe(measured[1]);
});
