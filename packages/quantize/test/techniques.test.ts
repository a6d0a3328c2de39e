/** The techniques against vectors that AIMET and a float64 reference made, and the properties that define them. */
import { bytesOf } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { describe, expect, it } from 'vitest';
import { compressScales, lpbqGrid } from '../src/lpbq/compress-scales.js';
import { gptaq } from '../src/techniques/gptaq/gptaq.js';
import { factorGram, stepOrder } from '../src/techniques/gptq/factor.js';
import { gptq } from '../src/techniques/gptq/gptq.js';
import { searchLpbqGrid } from '../src/techniques/lpbq-grid/lpbq-grid.js';
import { polish } from '../src/techniques/polish/polish.js';
import { minMaxGrid, searchRangeGrid } from '../src/techniques/range-grid/range-grid.js';
import { seqMse, seqMsePerBlock, seqMsePerChannel } from '../src/techniques/seqmse/seqmse.js';
import { bestPart, correctionOf, residualProducts } from '../src/techniques/target-correction/target-correction.js';
import { type Compute, dequantize, timesSquare } from '../src/techniques/weight-matrix.js';
import { type LayerProblem, crossOf, floats, goldenTensors, layerProblem } from './golden-tensors.js';

const compute: Compute = { kernels: loadKernels(), threads: 2 };
const { solvers } = compute.kernels;
const problems = Object.fromEntries(['p1', 'p2', 'p3'].map((name) => [name, layerProblem(name)])) as Record<'p1' | 'p2' | 'p3', LayerProblem>;

/** The codes of the reference, which lie column by column. */
function goldenCodes(problem: 'p1' | 'p2' | 'p3', key: string): Int8Array {
  const { n, k } = problems[problem];
  const stored = goldenTensors(`${problem}.gptq`)[key]?.data as Int8Array;
  return Int8Array.from({ length: n * k }, (_, i) => stored[(i % k) * n + Math.floor(i / k)] as number);
}

function gridOf(problem: 'p1' | 'p2' | 'p3', file: string) {
  const scale = floats(goldenTensors(`${problem}.${file}`).scale as never);
  const { n, k } = problems[problem];
  return { scale, block: (n * k) / scale.length, bits: 4 };
}

describe('SeqMSE of AIMET', () => {
  it.each([['p1', 32, 20], ['p1', 16, 20], ['p1', 32, 30], ['p1', 64, 20], ['p2', 32, 20], ['p2', 16, 20], ['p2', 64, 20], ['p3', 32, 20]] as const)('%s in blocks of %i, %i candidates: its choices, scales and codes', (name, blockSize, candidates) => {
    const { w, n, k, gram } = problems[name];
    const golden = goldenTensors(`${name}.seqmse-lpbq4-b${blockSize}-c${candidates}`);
    const scales = seqMse(compute, { w, n, k }, { blockSize, candidates, gram, start: 'minMax' });
    expect([...scales.blockScale]).toEqual([...(golden.int_scale as { data: Uint8Array }).data]);
    expect(scales.channelScale).toEqual(floats(golden.channel_scale as never));
    const codes = solvers.roundToGrid({ w, n, k }, lpbqGrid(scales, k));
    const expected = golden.codes?.data as Int8Array | undefined;
    if (expected !== undefined) expect(codes.filter((code, i) => code !== expected[i])).toHaveLength(0);
  });

  it.each(['p1', 'p2'] as const)('%s in float scales: the candidate of every block', (name) => {
    const { w, n, k, gram } = problems[name];
    const golden = goldenTensors(`${name}.seqmse-bq4-b32-c20`);
    const { grid, chosen } = seqMsePerBlock(compute, { w, n, k }, { block: 32, bits: 4, gram, candidates: 20 });
    expect([...chosen]).toEqual([...(golden.chosen as { data: Uint8Array }).data]);
    expect(grid.scale).toEqual(floats(golden.scale as never));
    expect(Buffer.compare(bytesOf(solvers.roundToGrid({ w, n, k }, grid)), bytesOf(golden.codes?.data as Int8Array))).toBe(0);
  });

  it.each(['p1', 'p2', 'p3'] as const)('%s per channel: the candidate of every channel but near ties', (name) => {
    const { w, n, k, gram } = problems[name];
    const golden = goldenTensors(`${name}.seqmse-pc4-c20`);
    const { grid, chosen } = seqMsePerChannel(compute, { w, n, k }, 4, { candidates: 20, gram });
    const expected = (golden.chosen as { data: Uint8Array }).data;
    const other = [...chosen.keys()].filter((row) => chosen[row] !== expected[row]);
    expect(other.length).toBeLessThanOrEqual(1);
    const [codes, scale] = [solvers.roundToGrid({ w, n, k }, grid), floats(golden.scale as never)];
    for (let row = 0; row < n; row++) {
      if (other.includes(row)) continue;
      expect(grid.scale[row]).toBe(scale[row]);
      expect(Buffer.compare(bytesOf(codes.subarray(row * k, (row + 1) * k)), bytesOf((golden.codes?.data as Int8Array).subarray(row * k, (row + 1) * k)))).toBe(0);
    }
  });
});

describe('minimum and maximum of AIMET', () => {
  it.each([['p1', 'pc4', 4], ['p2', 'pc4', 4], ['p3', 'pc4', 4], ['p1', 'pc8', 8], ['p2', 'pc8', 8], ['p1', 'bq4-b32', 4], ['p2', 'bq4-b32', 4]] as const)('%s %s: scales and codes', (name, file, bits) => {
    const { w, n, k } = problems[name];
    const golden = goldenTensors(`${name}.${file}`);
    const grid = minMaxGrid(compute, { w, n, k }, { bits, block: file === 'bq4-b32' ? 32 : k });
    expect(grid.scale).toEqual(floats(golden.scale as never));
    expect(Buffer.compare(bytesOf(solvers.roundToGrid({ w, n, k }, grid)), bytesOf(golden.codes?.data as Int8Array))).toBe(0);
  });
});

describe('GPTQ and GPTAQ', () => {
  const scales = ['lpbq4-b32', 'pc4', 'seqmse-lpbq4-b32-c20'];
  const cases = (['p1', 'p2', 'p3'] as const).flatMap((problem) => Object.keys(goldenTensors(`${problem}.gptq`)).filter((key) => !key.startsWith('X_') && !key.endsWith('-block128')).map((key) => [problem, key] as const));

  it.each(cases)('%s %s: the codes of the float64 reference', (name, key) => {
    const { w, n, k, gram, x, tokens } = problems[name];
    const file = scales.find((scale) => key.startsWith(`${scale}.`)) as string;
    const method = key.slice(file.length + 1);
    const factor = factorGram(compute, gram, stepOrder(gram, k, method !== 'gptq-natural'), 0.01);
    if (factor === undefined) throw new Error('no factor');
    const alpha = /^gptaq-(.*)$/.exec(method)?.[1];
    const reference = goldenTensors(`${name}.gptq`).X_fp;
    const codes = alpha === undefined || reference === undefined
      ? gptq(compute, { w, n, k }, gridOf(name, file), factor)
      : gptaq(compute, { w, n, k }, gridOf(name, file), factor, crossOf(floats(reference).map((value, i) => value - (x[i] as number)), x, tokens, k), Number(alpha));
    const golden = goldenCodes(name, key);
    // A near tie may fall otherwise in fp32, and what follows it in that row with it.
    expect(codes.filter((code, i) => code !== golden[i]).length / codes.length).toBeLessThan(0.01);
  });

  it('with inputs that do not correlate GPTQ is rounding to nearest, and GPTAQ without a difference is GPTQ', () => {
    const { w, n, k, gram } = problems.p1;
    const grid = gridOf('p1', 'lpbq4-b32');
    const identity = Float32Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0));
    const own = factorGram(compute, identity, stepOrder(identity, k, true), 0);
    const factor = factorGram(compute, gram, stepOrder(gram, k, true), 0.01);
    if (own === undefined || factor === undefined) throw new Error('no factor');
    expect(gptq(compute, { w, n, k }, grid, own)).toEqual(solvers.roundToGrid({ w, n, k }, grid));
    const without = gptaq(compute, { w, n, k }, grid, factor, new Float32Array(k * k), 1);
    expect(gptaq(compute, { w, n, k }, grid, factor, crossOf(problems.p1.x, problems.p1.x, 512, k), 0)).toEqual(without);
    const codes = gptq(compute, { w, n, k }, grid, factor);
    expect(without.filter((code, i) => code !== codes[i]).length / codes.length).toBeLessThan(0.001);
  });

  it('a matrix without full rank gets a factor at a higher damping; zero and NaN get none', () => {
    const k = 64;
    const rankOne = Float32Array.from({ length: k * k }, (_, i) => ((i % k) + 1) * (Math.floor(i / k) + 1));
    const factor = factorGram(compute, rankOne, stepOrder(rankOne, k, true), 1e-9);
    expect(factor?.damping).toBeGreaterThan(1e-9);
    expect(factorGram(compute, new Float32Array(k * k), stepOrder(rankOne, k, false), 0.01)).toBeUndefined();
    expect(factorGram(compute, rankOne.slice().fill(NaN, 70, 71), stepOrder(rankOne, k, false), 0.01)).toBeUndefined();
  });
});

describe('searches and refinements', () => {
  const { w, n, k, gram, x, tokens } = problems.p1;
  const lossesOn = (codes: Int8Array, grid: { scale: Float32Array; block: number; bits: number }): number => solvers.rowLosses(dequantize(compute, codes, grid).map((value, i) => value - (w[i] as number)), gram, n, k).reduce((sum, loss) => sum + loss, 0);

  it('the grid search beats SeqMSE on the grid that both end on', () => {
    const byGrid = lpbqGrid(searchLpbqGrid(compute, { w, n, k }, { blockSize: 32, factors: 9, gram, weighting: 'blocks' }), k);
    const bySeqMse = lpbqGrid(seqMse(compute, { w, n, k }, { blockSize: 32, candidates: 20, gram, start: 'minMax' }), k);
    const round = (grid: typeof byGrid) => lossesOn(solvers.roundToGrid({ w, n, k }, grid), grid);
    expect(round(byGrid)).toBeLessThan(0.95 * round(bySeqMse));
  });

  it.each([[4, k], [8, k], [4, 32], [8, 16]] as const)('of %i bits in ranges of %i: a grid search under the Gram matrix is never worse than min-max, range by range', (bits, block) => {
    const ranges = (grid: { scale: Float32Array; block: number; bits: number }): Float64Array => {
      const e = dequantize(compute, solvers.roundToGrid({ w, n, k }, grid), grid).map((value, i) => value - (w[i] as number));
      return Float64Array.from({ length: (n * k) / block }, (_, range) => {
        const column = (range * block) % k;
        let loss = 0;
        for (let a = 0; a < block; a++) for (let b = 0; b < block; b++) loss += (e[range * block + a] as number) * (gram[(column + a) * k + column + b] as number) * (e[range * block + b] as number);
        return loss;
      });
    };
    const before = ranges(minMaxGrid(compute, { w, n, k }, { bits, block }));
    const after = ranges(searchRangeGrid(compute, { w, n, k }, { bits, block, factors: 9, gram, weighting: 'blocks' }));
    after.forEach((loss, range) => expect(loss).toBeLessThanOrEqual((before[range] as number) * 1.0001 + 1e-12));
    const sum = (losses: Float64Array) => losses.reduce((total, loss) => total + loss, 0);
    expect(sum(after)).toBeLessThan((bits === 4 ? 0.9 : 0.99) * sum(before));
    const blind = ranges(searchRangeGrid(compute, { w, n, k }, { bits, block, factors: 9, weighting: 'diagonal' }));
    expect(sum(after)).toBeLessThan(sum(blind));
  });

  it('SeqMSE of channels toward what float inputs give is better at that than without them', () => {
    const shifted = x.map((value, i) => value * 0.9 + 0.1 * (x[(i + 1) % x.length] as number));
    const [own, cross] = [crossOf(shifted, shifted, tokens, k), crossOf(x, shifted, tokens, k)];
    const target = timesSquare(compute, w, cross, n, k);
    const cost = (grid: { scale: Float32Array; block: number; bits: number }): number => {
      const q = dequantize(compute, solvers.roundToGrid({ w, n, k }, grid), grid);
      return solvers.rowLosses(q, own, n, k).reduce((sum, loss) => sum + loss, 0) - 2 * q.reduce((sum, value, i) => sum + value * (target[i] as number), 0);
    };
    const toward = seqMsePerChannel(compute, { w, n, k }, 4, { candidates: 20, gram: own, cross }).grid;
    expect(cost(toward)).toBeLessThan(cost(seqMsePerChannel(compute, { w, n, k }, 4, { candidates: 20, gram: own }).grid));
  });

  it('polishing lowers what GPTQ left', () => {
    const grid = gridOf('p1', 'lpbq4-b32');
    const factor = factorGram(compute, gram, stepOrder(gram, k, true), 0.01);
    if (factor === undefined) throw new Error('no factor');
    const codes = gptq(compute, { w, n, k }, grid, factor);
    const before = lossesOn(codes, grid);
    polish(compute, { w, n, k }, grid, gram, codes, 2);
    expect(lossesOn(codes, grid)).toBeLessThan(before);
  });

  it('the whole correction without damping leaves no gradient, and held-out tokens of the same kind take nearly all of it', () => {
    const shifted = x.map((value, i) => value * 0.9 + 0.1 * (x[(i + 1) % x.length] as number));
    const own = crossOf(shifted, shifted, tokens, k);
    const reference = timesSquare(compute, w, crossOf(x, shifted, tokens, k), n, k);
    const factor = factorGram(compute, own, stepOrder(own, k, true), 1e-6);
    if (factor === undefined) throw new Error('no factor');
    const correction = correctionOf(compute, { w, n, k }, factor, { gram: own, reference });
    const after = residualProducts(compute, { w: w.map((value, i) => value + (correction[i] as number)), n, k }, { gram: own, reference });
    const before = residualProducts(compute, { w, n, k }, { gram: own, reference });
    const size = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    expect(size(after)).toBeLessThan(0.01 * size(before));
    expect(bestPart(compute, { w, n, k }, correction, { gram: own, reference })).toBeGreaterThan(0.95);
    expect(bestPart(compute, { w, n, k }, correction.map((value) => -value), { gram: own, reference })).toBe(0);
    expect(bestPart(compute, { w, n, k }, new Float32Array(n * k), { gram: own, reference })).toBe(0);
  });

  it('compressed scales keep their largest block, and compressing them again changes nothing', () => {
    const { scale } = gridOf('p1', 'seqmse-bq4-b32-c20');
    const once = compressScales(scale, n);
    expect(compressScales(lpbqGrid(once, k).scale, n)).toEqual(once);
    for (let row = 0; row < n; row++) expect(Math.max(...once.blockScale.subarray((row * k) / 32, ((row + 1) * k) / 32))).toBe(16);
  });
});
