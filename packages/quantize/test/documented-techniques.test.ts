/** The pages on techniques: their programs run and do what is said, their tables are what the code has. */
import { readFileSync, readdirSync } from 'node:fs';
import { type ScaleGrid, loadKernels } from '@tundish/native';
import * as observers from '@tundish/quantize/observers';
import * as techniques from '@tundish/quantize/techniques';
import { QUANTIZE_RECIPES, type QuantizeRecipeName, parseRecipe, resolveTechnique } from '@tundish/recipe';
import { describe, expect, it } from 'vitest';
import { learnPerChannel } from './examples/adascale.js';
import { smoothingOf } from './examples/awq.js';
import { roundWithGptaq } from './examples/gptaq.js';
import { roundWithGptq } from './examples/gptq.js';
import { roundLpbq } from './examples/lpbq.js';
import { searchAndRound } from './examples/lpbq-grid.js';
import { encodeStream } from './examples/observers.js';
import { roundAndPolish } from './examples/polish.js';
import { seqMseAndRound } from './examples/seqmse.js';
import { learnCodes } from './examples/signround.js';
import { crossOf, gramOf } from './examples/statistics.js';
import { correctTarget } from './examples/target-correction.js';
import { floats, goldenTensors, layerProblem } from './golden-tensors.js';
import { taskOf } from './small-block.js';

const { dequantize, factorGram, gptq, lpbqGrid, stepOrder } = techniques;
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const pages = readdirSync(new URL('../../../docs/techniques', import.meta.url)).map((name) => `docs/techniques/${name}`);
const overview = read('docs/quantization.md');

describe('pages', () => {
  it.each([...pages.map((page) => [page, page.replace(/^docs\/techniques\/|\.md$/g, '')] as const), ['docs/quantization.md', 'statistics'] as const])('%s shows the program %s', (page, example) => {
    expect(read(page)).toContain(`\`\`\`ts\n${read(`packages/quantize/test/examples/${example}.ts`)}\`\`\``);
  });

  it('are linked, and name each function that is exported', () => {
    const text = [overview, ...pages.map(read)].join('\n');
    expect(pages.filter((page) => !overview.includes(`(${page.replace('docs/', '')})`))).toEqual([]);
    expect(Object.keys({ ...techniques, ...observers }).filter((name) => !text.includes(name))).toEqual([]);
  });

  it('show the named recipes as they are', () => {
    const [head, , ...rows] = (overview.split('\n\n').find((part) => part.startsWith('| recipe |')) ?? '').split('\n').map((line) => line.split('|').slice(1, -1).map((cell) => cell.replaceAll('`', '').trim())) as [string[], string[], ...string[][]];
    const chains = rows.map(([name, ...cells]) => {
      const links = head.slice(1).flatMap((key, i) => (cells[i] === '' ? [] : [`  ${key}: ${cells[i] as string}`]));
      return [name, techniqueOf(['checkpoint: ./checkpoint', 'quantize:', ...links].join('\n'))] as const;
    });
    expect(Object.fromEntries(chains)).toEqual(QUANTIZE_RECIPES);
  });

  it('show a recipe that is one, and means what they say', () => {
    const [, yaml] = /```yaml\n(.*?)```/s.exec(overview.slice(overview.indexOf('## Named recipes'))) as RegExpExecArray;
    expect(techniqueOf(`checkpoint: ./checkpoint\n${yaml as string}`)).toEqual({ ...QUANTIZE_RECIPES.lpbq_gptaq, scales: { search: 'grid', factors: 17, weighting: 'blocks' }, polish: 4 });
  });
});

function techniqueOf(yaml: string) {
  const { quantize } = parseRecipe(new TextEncoder().encode(yaml), 'recipe.yaml').recipe;
  return resolveTechnique(quantize as { readonly recipe?: QuantizeRecipeName });
}

describe('programs', () => {
  const compute: techniques.Compute = { kernels: loadKernels(), threads: 2 };
  const { w, n, k, x, tokens } = layerProblem('p1');
  const weight: techniques.LayerWeight = { w, n, k };
  const float = floats(goldenTensors('p1.gptq').X_fp as never);
  const [gram, cross] = [gramOf(compute, x, tokens, k), crossOf(compute, float, x, tokens)];
  const { weight: minMax, values } = roundLpbq(w, n, k, 32);
  const minMaxGrid = lpbqGrid(minMax, k);
  const nearest = compute.kernels.solvers.roundToGrid(weight, minMaxGrid);

  /** |X E'|² of codes against the weight. */
  const loss = (codes: Int8Array, grid: ScaleGrid): number => compute.kernels.solvers.rowLosses(dequantize(compute, codes, grid).map((value, i) => value - (w[i] as number)), gram, n, k).reduce((sum, row) => sum + row, 0);
  /** |X Q' - Xf W'|² over some of the tokens. */
  const distance = (q: Float32Array, from = 0, to = tokens): number => {
    const outputs = (inputs: Float32Array, of: Float32Array): Float32Array => compute.kernels.sgemm(inputs.subarray(from * k, to * k), of, to - from, n, k, { transposeB: true });
    const target = outputs(float, w);
    return outputs(x, q).reduce((sum, value, i) => sum + (value - (target[i] as number)) ** 2, 0);
  };

  it('min-max: the values are the codes on the grid', () => {
    expect(values).toEqual(dequantize(compute, nearest, minMaxGrid));
  });

  it('AWQ: a smaller loss than min-max on tokens that it was not learned from', async () => {
    const half = (tokens / 2) * k;
    const [learned, judging] = [x.subarray(0, half), gramOf(compute, x.subarray(half), tokens / 2, k)];
    const found = await smoothingOf(compute, [weight], learned, judging);
    const relative = (e: Float32Array): number => compute.kernels.solvers.rowLosses(e, judging, n, k).reduce((sum, row) => sum + row, 0);
    const unsmoothed = relative(values.map((value, i) => value - (w[i] as number))) / relative(w);
    expect(found.exponent).toBeGreaterThan(0);
    expect(found.loss).toBeLessThan(0.75 * unsmoothed);
  });

  it('grid search: a smaller loss than min-max', () => {
    const { grid, codes } = searchAndRound(compute, weight, gram);
    expect(loss(codes, grid)).toBeLessThan(0.8 * loss(nearest, minMaxGrid));
  });

  it('SeqMSE: nearer to the float model than min-max', () => {
    const { grid, codes } = seqMseAndRound(compute, weight, gram, cross);
    expect(distance(dequantize(compute, codes, grid))).toBeLessThan(0.9 * distance(values));
  });

  it('GPTQ: a smaller loss than nearest on the same scales; nearest where no inputs are known', () => {
    expect(loss(roundWithGptq(compute, weight, minMaxGrid, gram), minMaxGrid)).toBeLessThan(0.7 * loss(nearest, minMaxGrid));
    expect(roundWithGptq(compute, weight, minMaxGrid, new Float32Array(k * k))).toEqual(nearest);
  });

  it('GPTAQ: nearer to the float model than GPTQ', () => {
    const codes = roundWithGptaq(compute, weight, minMaxGrid, gram, cross);
    expect(distance(dequantize(compute, codes, minMaxGrid))).toBeLessThan(distance(dequantize(compute, roundWithGptq(compute, weight, minMaxGrid, gram), minMaxGrid)));
  });

  it('target correction: nearer to the float model on tokens that it was not learned from', () => {
    const half = tokens / 2;
    const [learned, heldOut] = [[0, half], [half, tokens]].map(([from, to]) => {
      const [own, reference] = [x, compute.kernels.sgemm(float, w, tokens, n, k, { transposeB: true })].map((all) => all.subarray(((from as number) * all.length) / tokens, ((to as number) * all.length) / tokens)) as [Float32Array, Float32Array];
      return { gram: gramOf(compute, own, half, k), reference: crossOf(compute, reference, own, half) };
    }) as [techniques.ReferenceStatistics, techniques.ReferenceStatistics];
    const corrected = correctTarget(compute, weight, learned, heldOut);
    expect(distance(corrected.w, half, tokens)).toBeLessThan(0.95 * distance(w, half, tokens));
    expect(correctTarget(compute, weight, { ...learned, gram: new Float32Array(k * k) }, heldOut)).toEqual(weight);
  });

  it('observers: steps from the whole range to the quantile, 0 on each grid', () => {
    const windows = [0, 1].map((w) => Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i * 12.9898 + w) + (w === 1 && i === 0 ? 60 : 0)));
    const { minMax, percentile, sqnr } = encodeStream(windows);
    expect(minMax.scale).toBeGreaterThan(20 * percentile.scale);
    expect(sqnr.scale).toBeLessThanOrEqual(minMax.scale);
    for (const { zeroPoint } of [minMax, percentile, sqnr]) expect(Number.isInteger(zeroPoint)).toBe(true);
  });

  it('polishing: a smaller loss than nearest', () => {
    expect(loss(roundAndPolish(compute, weight, minMaxGrid, gram), minMaxGrid)).toBeLessThan(0.8 * loss(nearest, minMaxGrid));
  });

  it('AdaScale: nearer to the float block than min-max, in tokens that it did not learn from', async () => {
    const { before, after, codes, grids } = await learnPerChannel(taskOf(compute.kernels, 2));
    expect(after).toBeLessThan(0.8 * before);
    expect([codes.q_proj.length, grids.q_proj.block]).toEqual([16 * 12, 12]);
  });

  it('SignRound: nearer than rounding to nearest on the same scales', async () => {
    const task = taskOf(compute.kernels, 2);
    const grids = techniques.perRole((role) => {
      const w = task.weights.linears[role].weight;
      return { scale: compute.kernels.quantizePerChannel(w, w.length / 2, 2, 4).scale, block: 2, bits: 4 };
    });
    const { before, after } = await learnCodes(task, grids);
    expect(after).toBeLessThan(0.8 * before);
  });

  it('the loss of GPTQ is a sum of squares, and no step that does not saturate is above its bound', () => {
    const factor = factorGram(compute, gram, stepOrder(gram, k, true), 0.01) as techniques.GramFactor;
    const codes = gptq(compute, weight, minMaxGrid, factor);
    const errors = dequantize(compute, codes, minMaxGrid).map((value, i) => (w[i] as number) - value);
    const { lower, order } = factor;
    const m = (s: number, t: number): number => lower[(k - 1 - s) * k + k - 1 - t] as number;
    const lambda = factor.damping * order.reduce((sum, c) => sum + (gram[c * k + c] as number) / k, 0);
    const damped = gram.map((value, i) => (i % (k + 1) === 0 ? value + lambda : value));
    compute.kernels.solvers.rowLosses(errors, damped, n, k).forEach((whole, row) => {
      let sum = 0;
      for (let t = 0; t < k; t++) {
        let passed = 0;
        for (let s = 0; s <= t; s++) passed += (errors[row * k + (order[s] as number)] as number) * m(s, t);
        sum += passed ** 2;
        const at = row * k + (order[t] as number);
        const isSaturated = codes[at] === -8 || codes[at] === 7;
        if (!isSaturated) expect(Math.abs(passed)).toBeLessThanOrEqual(((m(t, t) * (minMaxGrid.scale[Math.floor(at / 32)] as number)) / 2) * (1 + 1e-4));
      }
      expect(Math.abs(sum - whole)).toBeLessThanOrEqual(1e-3 * whole);
    });
  });
});
