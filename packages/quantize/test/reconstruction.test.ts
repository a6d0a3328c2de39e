/** AdaScale against a trace of AIMET 2.42 and finite differences, SignRound against its rules, and the loop that both learn blocks with. */
import { readFileSync } from 'node:fs';
import { loadKernels } from '@tundish/native';
import { describe, expect, it } from 'vitest';
import { forwardBlock } from '../src/forward/block-forward.js';
import { LINEAR_ROLES, type LinearRole, perRole } from '../src/forward/block-weights.js';
import { compressScales, lpbqGrid } from '../src/lpbq/compress-scales.js';
import { type AdaScaleGrid, AdaScaleWeight, adaScale } from '../src/techniques/adascale/adascale.js';
import type { BlockReconstruction, BlockTask, FoldedWeight } from '../src/techniques/reconstruction/reconstruct-block.js';
import { type SignRoundStart, SignRoundWeight, signRound } from '../src/techniques/signround/signround.js';
import { type Compute, dequantize } from '../src/techniques/weight-matrix.js';
import { floats, goldenTensors } from './golden-tensors.js';
import { TOKENS, noise, rope, taskOf } from './small-block.js';

const compute: Compute = { kernels: loadKernels(), threads: 2 };
const { solvers } = compute.kernels;
const largest = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));

describe('AdaScale of AIMET', () => {
  const golden = goldenTensors('adascale');
  const trace = JSON.parse(readFileSync(new URL('fixtures/solvers/adascale.json', import.meta.url), 'utf8')) as { steps: number; snapshots: number[]; losses: number[] };
  const tensor = (name: string): Float32Array => floats(golden[name] as never);
  const PARAMETERS = ['beta', 'gamma', 's2', 's3'] as const;
  const [tokens, width, inner] = [64, 32, 48];

  it('40 steps on a block of two layers: losses, parameters, folded weights and their values', () => {
    const first = new AdaScaleWeight(compute, { w: tensor('w0'), n: inner, k: width }, { bits: 4 });
    const second = new AdaScaleWeight(compute, { w: tensor('w2'), n: width, k: inner }, { bits: 4 });
    const layers = [[0, first], [2, second]] as const;
    for (const [name, { layer: { range } }] of layers) expect(range).toEqual(Float32Array.of(...tensor(`step0.${name}.min`), ...tensor(`step0.${name}.max`)));

    const { algebra, decoder, sgemm } = compute.kernels;
    const ones = new Float32Array(tokens * inner).fill(1);
    const window = (name: string, step: number): Float32Array => tensor(name).slice((step % 4) * tokens * width, ((step % 4) + 1) * tokens * width);
    const run = (x: Float32Array, a: Float32Array, b: Float32Array) => {
      const gate = sgemm(x, a, tokens, inner, width, { transposeB: true });
      const gated = gate.slice();
      decoder.siluMultiply(gated, ones);
      return { gate, gated, y: sgemm(gated, b, tokens, width, inner, { transposeB: true }) };
    };
    let furthest = 0;
    const compare = (when: string): void => {
      for (const [name, { layer }] of layers) for (const key of PARAMETERS) furthest = Math.max(furthest, largest(layer[key].slice(0, layer[key].length / 3), tensor(`${when}.${name}.${key}`)));
    };
    for (let step = 0; step < trace.steps; step++) {
      if (trace.snapshots.includes(step)) compare(`step${step}`);
      const x = window('x_q', step);
      const target = run(window('x_fp', step), tensor('w0'), tensor('w2')).y;
      const { gate, gated, y } = run(x, first.values, second.values);
      const loss = y.reduce((sum, value, i) => sum + (value - (target[i] as number)) ** 2 / width, 0);
      expect(Math.abs(loss / (trace.losses[step] as number) - 1), `loss ${step}`).toBeLessThan(2e-6);
      const dy = y.map((value, i) => (2 * (value - (target[i] as number))) / width);
      const [d2, d0] = [new Float32Array(width * inner), new Float32Array(inner * width)];
      algebra.accumulateCross(d2, dy, gated, tokens, width, inner);
      const dz = sgemm(dy, second.values, tokens, inner, width);
      decoder.siluMultiplyBackward(gate, ones.slice(), dz);
      algebra.accumulateCross(d0, gate, x, tokens, inner, width);
      first.step(d0, { done: step, iterations: trace.steps });
      second.step(d2, { done: step, iterations: trace.steps });
    }
    compare('final');
    // A gradient near zero loses its sign to the order of fp32 sums, and Adam moves by the sign.
    expect(furthest).toBeLessThan(2e-6);
    for (const [name, weight] of layers) {
      const folded = new Float32Array(width * inner);
      const grid = weight.fold(folded);
      expect(largest(folded, tensor(`folded.${name}.weight`))).toBeLessThan(2e-6);
      expect(largest(grid.scale, tensor(`folded.${name}.scale`))).toBeLessThan(2e-7);
      expect(largest(weight.values, tensor(`folded.${name}.dequantized`))).toBeLessThan(2e-6);
    }
  });
});

describe('a weight under AdaScale', () => {
  it('has gradients that finite differences of its formulas show, for every parameter', () => {
    const [n, k, block, bits] = [3, 12, 4, 4];
    const blocks = k / block;
    const weight = new AdaScaleWeight(compute, { w: noise(1, n * k), n, k }, { block, bits });
    const { layer } = weight;
    // Away from zero, with weights that saturate.
    const values = (index: number, count: number): Float32Array => noise(index, count, 0.3);
    for (const [index, key] of (['beta', 'gamma', 's2', 's3'] as const).entries()) layer[key].set(values(index, layer[key].length / 3));
    const scale = compute.kernels.reconstruction.adaScaleGrid(layer);
    const gradient = noise(7, n * k);
    const start = perParameter((key) => Float64Array.from(layer[key].slice(0, layer[key].length / 3)));
    const w = Float64Array.from(layer.w);
    const learned = (p: typeof start, i: number): number => (w[i] as number) / Math.exp(p.s2[i] as number) / Math.exp(p.s3[Math.floor(i / k)] as number);
    const size = (p: typeof start, b: number): number => (Math.exp(p.gamma[b] as number) * (layer.range[n * blocks + b] as number) - Math.exp(p.beta[b] as number) * (layer.range[b] as number)) / 15;
    // The straight-through estimator: what rounding adds is constant, and a saturated code stays.
    const rounding = w.map((_, i) => {
      const position = learned(start, i) / size(start, Math.floor(i / block));
      return Math.min(Math.max(compute.kernels.solvers.roundToGrid({ w: Float32Array.of(position), n: 1, k: 1 }, { scale: Float32Array.of(1), block: 1, bits: 8 })[0] as number, -8), 7) - position;
    });
    const saturated = w.map((_, i) => (Math.abs(rounding[i] as number) > 0.5 ? 1 : 0));
    expect(saturated.filter((x) => x === 1).length).toBeGreaterThan(0);
    const along = (p: typeof start): number => gradient.reduce((sum, slope, i) => {
      const [at, was] = [size(p, Math.floor(i / block)), size(start, Math.floor(i / block))];
      const position = saturated[i] === 1 ? learned(start, i) / was : learned(p, i) / at;
      return sum + slope * (position + (rounding[i] as number)) * at;
    }, 0);

    compute.kernels.reconstruction.adaScaleStep(layer, scale, gradient, { range: 1e-3, weight: 1e-3, step: 1 });
    for (const key of ['beta', 'gamma', 's2', 's3'] as const) {
      const count = start[key].length;
      start[key].forEach((value, i) => {
        const ends = [1e-6, -1e-6].map((move) => along({ ...start, [key]: start[key].with(i, value + move) })) as [number, number];
        // The first moment after one step is a tenth of the gradient.
        expect(Math.abs((layer[key][count + i] as number) * 10 - (ends[0] - ends[1]) / 2e-6), `${key} ${i}`).toBeLessThan(5e-6);
      });
    }
  });

  it('keeps its factors within e, however steep the loss', () => {
    const weight = new AdaScaleWeight(compute, { w: noise(1, 64), n: 4, k: 16 }, { bits: 4 });
    for (let done = 0; done < 30; done++) compute.kernels.reconstruction.adaScaleStep(weight.layer, new Float32Array(4).fill(1), noise(done, 64, 1e6), { range: 0.5, weight: 0.5, step: done + 1 });
    for (const key of ['beta', 'gamma', 's2', 's3'] as const) expect(Math.max(...weight.layer[key].slice(0, weight.layer[key].length / 3).map(Math.abs))).toBeLessThanOrEqual(1);
  });
});

function perParameter<Value>(make: (key: 'beta' | 'gamma' | 's2' | 's3') => Value): Record<'beta' | 'gamma' | 's2' | 's3', Value> {
  return { beta: make('beta'), gamma: make('gamma'), s2: make('s2'), s3: make('s3') };
}

describe('a weight under SignRound', () => {
  const [n, k] = [2, 4];
  const grid = { scale: Float32Array.of(0.5, 0.25), block: 4, bits: 4 };
  /** In steps of the grid: 0.2, -0.6, 6.9, 18 and 0.4, 0.4, -0.8, 0. */
  const target = Float32Array.of(0.1, -0.3, 3.45, 9, 0.1, 0.1, -0.2, 0);

  it('begins with the codes that it is given, whether they are the nearest or not', () => {
    const codes = Int8Array.of(0, -1, 7, 7, -2, 1, -1, 3);
    expect(new SignRoundWeight(compute, { n, k }, { grid, codes, target }).values).toEqual(dequantize(compute, codes, grid));
    const nearest = solvers.roundToGrid({ w: target, n, k }, grid);
    expect(new SignRoundWeight(compute, { n, k }, { grid, codes: nearest, target }).values).toEqual(dequantize(compute, nearest, grid));
  });

  it('moves against the sign of the gradient by the rate that is left, and codes by one at most', () => {
    const codes = solvers.roundToGrid({ w: target, n, k }, grid);
    const weight = new SignRoundWeight(compute, { n, k }, { grid, codes, target });
    const gradient = Float32Array.of(-1, -1e-9, 1, 0, -5, 5, -1, 1);
    const folded = new Float32Array(n * k);
    const changes: number[][] = [];
    for (let done = 0; done < 4; done++) {
      weight.step(gradient, { done, iterations: 4 });
      expect(weight.fold(folded)).toBe(grid);
      const now = solvers.roundToGrid({ w: folded, n, k }, grid);
      expect(folded).toEqual(dequantize(compute, now, grid));
      changes.push([...now].map((code, i) => code - (codes[i] as number)));
    }
    // V is 1/4, 7/16 and from then on 1/2 against the gradient.
    expect(changes).toEqual([[0, 1, 0, 0, 1, 0, 0, 0], [1, 1, -1, 0, 1, 0, 1, 0], [1, 1, -1, 0, 1, 0, 1, 0], [1, 1, -1, 0, 1, 0, 1, 0]]);
  });
});

/** Min-max codes on blocks of two columns. */
function startsOf({ weights }: BlockTask): Record<LinearRole, SignRoundStart> {
  const learned = perRole((role) => {
    const { weight: w } = weights.linears[role];
    const [n, k] = [w.length / 2, 2];
    const { scale } = compute.kernels.quantizePerChannel(w, n, k, 4);
    const grid = { scale, block: k, bits: 4 };
    return { grid, codes: solvers.roundToGrid({ w, n, k }, grid), target: w };
  });
  return learned;
}

const LPBQ: AdaScaleGrid = { bits: 4, block: 2, compress: (scale, n) => lpbqGrid(compressScales(scale, n), (2 * scale.length) / n).scale };
const codesOf = ({ weight, grid }: FoldedWeight): Int8Array => solvers.roundToGrid({ w: weight, n: weight.length / grid.block, k: grid.block }, grid);
const OPTIONS = { iterations: 24, tokens: 2 * TOKENS };

describe.each<[string, (task: BlockTask, iterations?: number) => Promise<BlockReconstruction>]>([
  ['AdaScale per channel', (task, iterations = OPTIONS.iterations) => adaScale(task, perRole(() => ({ bits: 4 })), { ...OPTIONS, iterations })],
  ['AdaScale on LPBQ', (task, iterations = OPTIONS.iterations) => adaScale(task, perRole(() => LPBQ), { ...OPTIONS, iterations })],
  ['SignRound', (task, iterations = OPTIONS.iterations) => signRound(task, startsOf(task), { ...OPTIONS, iterations })],
])('%s of a block', (_, learn) => {
  it('ends nearer to the float block on windows that it did not learn from, and says by how much', async () => {
    const task = taskOf(compute.kernels, 2);
    const { linears, before, after } = await learn(task);
    expect(after).toBeLessThan(0.9 * before);
    const values = perRole((role) => ({ ...task.weights.linears[role], weight: dequantize(compute, codesOf(linears[role]), linears[role].grid) }));
    const [y, target] = [forwardBlock(task.context, { ...task.weights, linears: values }, task.input(7), rope), task.target(7)];
    const error = y.reduce((sum, value, i) => sum + (value - (target[i] as number)) ** 2, 0) / target.reduce((sum, value) => sum + value ** 2, 0);
    expect(error / after).toBeCloseTo(1, 6);
  });

  it('keeps its beginning when held-out windows like no other iterate better', async () => {
    const { linears: start } = await learn(taskOf(compute.kernels, 2), 0);
    const task = taskOf(compute.kernels, 2);
    const values = perRole((role) => ({ ...task.weights.linears[role], weight: dequantize(compute, codesOf(start[role]), start[role].grid) }));
    const own = forwardBlock(task.context, { ...task.weights, linears: values }, task.input(7), rope);
    const { linears, before, after } = await learn({ ...task, target: (index) => (index === 7 ? own : task.target(index)) });
    expect([before, after]).toEqual([0, 0]);
    for (const role of LINEAR_ROLES) expect(codesOf(linears[role])).toEqual(codesOf(start[role]));
  });

  it('has the same bytes on one and two threads and in TypeScript', async () => {
    const results = await Promise.all([taskOf(compute.kernels, 2), taskOf(compute.kernels, 1), taskOf(loadKernels({ allow: 'typescript' }), 1)].map((task) => learn(task, 6)));
    for (const { linears, after } of results) {
      expect(after).toBe(results[0]?.after);
      for (const role of LINEAR_ROLES) expect(linears[role]).toEqual(results[0]?.linears[role]);
    }
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    let windows = 0;
    const base = taskOf(compute.kernels, 2);
    const task = taskOf(compute.kernels, 2, { signal: controller.signal, input: (index) => {
      if (++windows === 5) controller.abort(new Error('enough'));
      return base.input(index);
    } });
    await expect(learn(task)).rejects.toThrow('enough');
    expect(windows).toBeLessThan(8);
  });
});

it('AdaScale begins with min-max, to the bit: per channel, and on LPBQ', async () => {
  const { kernels } = compute;
  const task = taskOf(kernels, 2);
  const perChannel = await adaScale(task, perRole(() => ({ bits: 4 })), { ...OPTIONS, iterations: 0 });
  const lpbq = await adaScale(task, perRole(() => LPBQ), { ...OPTIONS, iterations: 0 });
  for (const [role, n] of [['q_proj', 16], ['down_proj', 12]] as const) {
    const { weight: w } = task.weights.linears[role];
    const k = w.length / n;
    const { codes, scale } = kernels.quantizePerChannel(w, n, k, 4);
    expect([codesOf(perChannel.linears[role]), perChannel.linears[role].grid.scale]).toEqual([codes, scale]);
    const minMax = kernels.quantizeLpbq(w, n, k, 2);
    expect(dequantize(compute, codesOf(lpbq.linears[role]), lpbq.linears[role].grid)).toEqual(kernels.dequantizeLpbq(minMax, n, k, 2));
  }
});
