/** AWQ: the factors of one group, and a block that has them in its weights. */
import { loadKernels } from '@tundish/native';
import { foldNormGains, rotate } from '@tundish/transform';
import { describe, expect, it } from 'vitest';
import { type BlockFactors, foldSmoothing } from '../src/engine/fold-smoothing.js';
import { describeBlock } from '../src/forward/block-description.js';
import { forwardBlock } from '../src/forward/block-forward.js';
import type { BlockShape } from '../src/forward/block-weights.js';
import { headInput, headLogits } from '../src/forward/head-forward.js';
import { readBlock } from '../src/forward/read-block.js';
import { lpbqGrid } from '../src/lpbq/compress-scales.js';
import { findParameters } from '../src/parameters.js';
import { segmentAt } from '../src/segments.js';
import { type AwqOptions, awq, smoothingFactors, timesColumns } from '../src/techniques/awq/awq.js';
import { type Compute, type LayerWeight, dequantize, outputLoss } from '../src/techniques/weight-matrix.js';
import { TensorFiles, weightSource } from '../src/weight-source.js';
import { type AdaptedCheckpoint, adapt, repositoryPath } from './adapted.js';
import { crossOf, layerProblem } from './golden-tensors.js';

const compute: Compute = { kernels: loadKernels(), threads: 2 };
const { solvers } = compute.kernels;

function nearest(weight: LayerWeight): Float32Array {
  const grid = lpbqGrid(solvers.searchLpbq({ ...weight, block: 32, gram: undefined, factors: new Float32Array() }), weight.k);
  return dequantize(compute, solvers.roundToGrid(weight, grid), grid);
}

const lossUnder = (gram: Float32Array) => ({ w, n, k }: LayerWeight): number => outputLoss(compute, w, gram, n, k);

/** |E X|² / |W X|² of rounding with factors. */
function lossWith(factors: Float32Array, { w, n, k }: LayerWeight, gram: Float32Array): number {
  const sum = (e: Float32Array): number => solvers.rowLosses(e, gram, n, k).reduce((total, loss) => total + loss, 0);
  const values = nearest({ w: timesColumns(w, factors), n, k });
  return sum(values.map((value, i) => value / (factors[i % k] as number) - (w[i] as number))) / sum(w);
}

describe('factors', () => {
  const { w, n, k, x, tokens } = layerProblem('p1');
  // A few channels are loud, and the weights that read them small: what one scale for a block rounds to nothing.
  const loudness = Float32Array.from({ length: k }, (_, c) => (c % 37 === 5 ? 32 : 1));
  const inputs = timesColumns(x, loudness);
  const weight: LayerWeight = { w: timesColumns(w, loudness.map((size) => 1 / size)), n, k };
  const half = (tokens / 2) * k;
  const [learned, judging] = [crossOf(inputs.subarray(0, half), inputs.subarray(0, half), tokens / 2, k), crossOf(inputs.subarray(half), inputs.subarray(half), tokens / 2, k)];
  const magnitudes = Float32Array.from({ length: k }, (_, c) => Math.sqrt(learned[c * k + c] as number));
  const options: AwqOptions = { points: 20, magnitudes, loss: lossUnder(judging), round: nearest };

  it('of exponent 0 are 1, and are taken where no others are better', async () => {
    const ones = new Float32Array(k).fill(1);
    expect(smoothingFactors(magnitudes, 0)).toEqual(ones);
    expect(await awq([weight], { ...options, points: 2, round: (scaled, factors) => timesColumns(scaled.w, factors.map((factor) => (factor === 1 ? 1 : 0))) })).toEqual({ exponent: 0, factors: ones, loss: 0 });
    expect(await awq([weight], { ...options, loss: lossUnder(new Float32Array(k * k)) })).toMatchObject({ exponent: 0, loss: 0 });
  });

  it('make loud channels finer: on tokens that judge the loss is the least of all exponents', async () => {
    const found = await awq([weight], options);
    const losses = Array.from({ length: 20 }, (_, point) => lossWith(smoothingFactors(magnitudes, point / 20), weight, judging));
    expect(found.loss).toBeCloseTo(Math.min(...losses), 9);
    expect(found.exponent).toBe(losses.indexOf(Math.min(...losses)) / 20);
    expect(found.loss).toBeLessThan(0.5 * (losses[0] as number));
  });

  it('of a group are those of least sum of relative losses', async () => {
    const other: LayerWeight = { ...weight, w: w.map((value) => 100 * value) };
    const { exponent, loss } = await awq([weight, other], options);
    const sums = Array.from({ length: 20 }, (_, point) => [weight, other].reduce((sum, layer) => sum + lossWith(smoothingFactors(magnitudes, point / 20), layer, judging), 0));
    expect(exponent).toBe(sums.indexOf(Math.min(...sums)) / 20);
    expect(loss).toBeCloseTo(Math.min(...sums), 9);
  });

  it('do not depend on the unit of the inputs or of the weights', async () => {
    const [found, scaled] = await Promise.all([awq([weight], options), awq([{ ...weight, w: weight.w.map((value) => value / 4) }], { ...options, magnitudes: magnitudes.map((value) => 8 * value), loss: lossUnder(judging.map((value) => 64 * value)) })]);
    expect({ ...scaled, loss: 0 }).toEqual({ ...found, loss: 0 });
    // Scales have a least step, which weights of another size are nearer to.
    expect(scaled.loss).toBeCloseTo(found.loss, 9);
  });

  it('of silent channels are small and finite', () => {
    expect(smoothingFactors(new Float32Array(4), 0.5)).toEqual(new Float32Array(4).fill(1));
    const factors = smoothingFactors(Float32Array.of(0, 1, 1e-9, 4), 0.5);
    expect([...factors].every((factor) => factor > 0 && Number.isFinite(factor))).toBe(true);
    expect(factors[0]).toBe(factors[2]);
    expect((factors[3] as number) * (factors[0] as number)).toBeCloseTo(1, 6);
  });
});

describe('a block with factors folded in', () => {
  const TOKENS = 24;

  /** Any factors, alike for the query heads of one value head. */
  function someFactors({ hidden, heads, kvHeads, headDim, ffn }: BlockShape): BlockFactors {
    const some = (size: number, seed: number): Float32Array => Float32Array.from({ length: size }, (_, i) => Math.exp(3 * Math.sin(i * i + seed)));
    const values = some(kvHeads * headDim, 4);
    const o = Float32Array.from({ length: heads * headDim }, (_, i) => values[Math.floor(i / ((headDim * heads) / kvHeads)) * headDim + (i % headDim)] as number);
    return { qkv: some(hidden, 1), o, gate_up: some(hidden, 2), down: some(ffn, 3) };
  }

  /** Logits of a window by the forward pass of blocks. */
  function logitsOf(adapted: AdaptedCheckpoint, smooth: boolean): Float32Array {
    const files = new TensorFiles(adapted.resolve);
    const { kernels } = compute;
    const { layers, dims } = adapted.adaptation;
    let stream = Float32Array.from({ length: TOKENS * dims.hidden }, (_, i) => Math.sin(i * 12.9898));
    let epsilon = 0;
    for (let index = 1; index <= layers.length; index++) {
      const description = describeBlock(segmentAt(adapted.model, adapted.plan, index));
      const { shape } = description;
      const weights = readBlock(description, files, { kernels });
      stream = forwardBlock({ kernels, shape, threads: 2 }, smooth ? foldSmoothing(weights, shape, someFactors(shape)) : weights, stream, adapted.calibration(1, TOKENS));
      epsilon = shape.epsilon;
    }
    const head = findParameters(segmentAt(adapted.model, adapted.plan, layers.length + 1).model.graph);
    const [gain, projection] = ['gain', 'projection'].map((role) => {
      const { name, root } = head.find((parameter) => parameter.role === role) as (typeof head)[number];
      const source = weightSource(name, root, files, { kernels });
      return source.read(0, source.rows);
    }) as [Float32Array, Float32Array];
    files.close();
    return headLogits(kernels, headInput(kernels, stream, gain, epsilon, 2), projection, dims.hidden, 2);
  }

  it.each(['llama-bias-fp32', 'llama-headdim-bf16', 'llama-mha-fp32', 'llama-rope-llama3-bf16'])('%s gives the logits that it gave', async (name) => {
    const adapted = await adapt(repositoryPath(`test/fixtures/golden/${name}`), TOKENS, TOKENS + 1);
    for (const model of [adapted.model, foldNormGains(adapted.model).model, rotate(adapted.model, { r1: false, r2: true, r3: true }).model]) {
      const [before, after] = [false, true].map((smooth) => logitsOf({ ...adapted, model }, smooth)) as [Float32Array, Float32Array];
      const largest = before.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(before.reduce((most, value, i) => Math.max(most, Math.abs(value - (after[i] as number))), 0) / largest).toBeLessThan(1e-5);
      expect(after).not.toEqual(before);
    }
  });
});
