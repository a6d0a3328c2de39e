/** Hard inputs of a layer: what docs/quantization says happens, with the warnings that it lists and no others. */
import { readFileSync } from 'node:fs';
import { loadKernels } from '@tundish/native';
import { QUANTIZE_RECIPES, type Technique } from '@tundish/recipe/technique';
import { describe, expect, it } from 'vitest';
import { GroupStatistics } from '../src/engine/group-statistics.js';
import { refineBlock } from '../src/engine/refine-block.js';
import { type SolvedLayer, solveGroup } from '../src/engine/solve-group.js';
import { forwardBlock } from '../src/forward/block-forward.js';
import { perRole } from '../src/forward/block-weights.js';
import { lpbqGrid } from '../src/lpbq/compress-scales.js';
import { type Compute, dequantize } from '../src/techniques/weight-matrix.js';
import { taskOf } from './small-block.js';

const compute: Compute = { kernels: loadKernels(), threads: 2 };
const [n, k] = [8, 32];
const overview = readFileSync(new URL('../../../docs/quantization.md', import.meta.url), 'utf8');
/** Of the table of warnings, `...` standing for numbers. */
const documented = [...(overview.split('| warning |')[1]?.split('\n\n')[0] ?? '').matchAll(/^\| `(.+?)`/gm)].map(([, text]) => new RegExp(`^${(text as string).replaceAll('...', '[\\d.e-]+')}$`));

const w = Float32Array.from({ length: n * k }, (_, i) => Math.sin(i * i + 1));
const CHAIN: Technique = { ...QUANTIZE_RECIPES.lpbq_gptaq, correction: 0 };

/** Solves a layer of which window `i` of `count` brings the inputs `window(i)` [tokens, k]; the float model has the same. */
async function solve(options: Technique, count: number, window: (index: number) => Float32Array): Promise<SolvedLayer> {
  const statistics = new GroupStatistics(compute, k, k, { kind: options.correction === 0 ? 'none' : 'inputs' } as const, count);
  for (let index = 0; index < count; index++) statistics.add({ first: index, count: 1 }, window(index), options.correction === 0 ? undefined : window(index));
  const [layer] = await solveGroup({ compute, options, layers: [{ name: 'w', weight: { w, n, k }, scheme: { scheme: 'lpbq', bits: 4, blockSize: 16 } }], moments: statistics.finish(), signal: new AbortController().signal });
  return layer as SolvedLayer;
}

/** Inputs that are all alike within a token, and inputs that have nothing to do with each other. */
const alike = (tokens: number, size: number): Float32Array => Float32Array.from({ length: tokens * k }, (_, i) => size * Math.sin(Math.floor(i / k) + 1));
const apart = (tokens: number, size: number): Float32Array => Float32Array.from({ length: tokens * k }, (_, i) => size * Math.sin(i * i * 0.7 + i));
const nearestOn = ({ scales }: SolvedLayer): Int8Array => compute.kernels.solvers.roundToGrid({ w, n, k }, scales.grid);

describe('a layer', () => {
  const seen = new Set<number>();
  function expectWarnings({ report }: SolvedLayer, patterns: readonly RegExp[]): void {
    expect(report.warnings).toEqual(patterns.map((pattern) => expect.stringMatching(pattern)));
    for (const warning of report.warnings) {
      const at = documented.findIndex((pattern) => pattern.test(warning));
      expect(at, warning).toBeGreaterThanOrEqual(0);
      seen.add(at);
    }
  }

  it('with inputs of full rank has no warning, and a smaller error than rounding to nearest', async () => {
    const layer = await solve({ ...CHAIN, correction: 'heldOut' }, 8, () => apart(64, 1));
    expectWarnings(layer, []);
    expect(layer.report.error).toBeLessThan(layer.report.nearestError);
    expect(layer.report).toMatchObject({ name: 'w', correction: 0, damping: 0.01 });
  });

  it('with inputs that are all zero is rounded to nearest on scales of min-max', async () => {
    const layer = await solve(CHAIN, 8, () => new Float32Array(64 * k));
    expectWarnings(layer, [/all zero/]);
    expect(layer.report).not.toHaveProperty('damping');
    const { scales } = await solve(QUANTIZE_RECIPES.minmax, 8, () => apart(64, 1));
    expect(layer).toMatchObject({ scales, codes: nearestOn(layer) });
  });

  it('with inputs that are all zero has nothing but ties for SeqMSE, which takes the smallest range', async () => {
    const [smallest, whole] = await Promise.all([20, 1].map((candidates) => solve({ ...QUANTIZE_RECIPES.minmax, scales: { search: 'seqmse', candidates, inputs: 'quantized', start: 'minMax' } }, 8, () => new Float32Array(64 * k)))) as [SolvedLayer, SolvedLayer];
    smallest.scales.grid.scale.forEach((scale, i) => expect(scale * 20).toBeCloseTo(whole.scales.grid.scale[i] as number, 6));
  });

  it('with too few tokens is solved all the same', async () => {
    const layer = await solve(CHAIN, 1, () => apart(k - 1, 1));
    expectWarnings(layer, [/31 calibration tokens for 32 inputs/]);
    expect(layer.codes).not.toEqual(nearestOn(layer));
  });

  it('with a damping that is too small for its inputs gets a larger one', async () => {
    const layer = await solve({ ...CHAIN, scales: { search: 'minmax' }, polish: 0, rounding: { method: 'gptq', damping: 1e-9, actOrder: true } }, 1, () => alike(64, 1));
    expectWarnings(layer, [/damping was raised from 1e-9/]);
    expect(layer.report.damping).toBeGreaterThan(1e-9);
  });

  it('that is worse on held-out tokens than nearest takes nearest', async () => {
    const layer = await solve({ ...CHAIN, scales: { search: 'minmax' } }, 8, (index) => (index === 7 ? apart(8, 0.1) : alike(64, 10)));
    expectWarnings(layer, [/held-out tokens like rounding to nearest better/]);
    expect(layer.codes).toEqual(nearestOn(layer));
    expect(layer.report.error).toBe(layer.report.nearestError);
  });

  it('half of the correction is taken where nothing is held out', async () => {
    expect((await solve({ ...CHAIN, correction: 'heldOut' }, 7, () => apart(64, 1))).report.correction).toBe(0.5);
  });

  it('of a block whose refinement is worse on held-out tokens keeps its codes, and where none are held out takes the last ones', async () => {
    const task = taskOf(compute.kernels, 2);
    const solved = perRole((role) => {
      const { weight } = task.weights.linears[role];
      const lpbq = compute.kernels.solvers.searchLpbq({ w: weight, n: weight.length / 2, k: 2, block: 2, gram: undefined, factors: new Float32Array() });
      const grid = lpbqGrid(lpbq, 2);
      const codes = compute.kernels.solvers.roundToGrid({ w: weight, n: weight.length / 2, k: 2 }, grid);
      return { scales: { lpbq, grid }, codes, target: weight, report: { name: role, error: 0, nearestError: 0, warnings: [] } };
    });
    const own = { ...task.weights, linears: perRole((role) => ({ ...task.weights.linears[role], weight: dequantize(compute, solved[role].codes, solved[role].scales.grid) })) };
    const refine = { method: 'signround', iterations: 48, tokens: 20 } as const;
    const target = (index: number): Float32Array => (index === 7 ? forwardBlock(task.context, own, task.input(7), task.rope) : task.target(index));
    const kept = await refineBlock({ ...task, target, windows: 8 }, solved, refine);
    expectWarnings(kept.q_proj, [/codes before the refinement better/]);
    expect(kept.down_proj.codes).toEqual(solved.down_proj.codes);
    const taken = await refineBlock({ ...task, windows: 7 }, solved, refine);
    expectWarnings(taken.q_proj, [/no window is held out/]);
    expectWarnings(taken.down_proj, []);
    expect(taken.down_proj.codes).not.toEqual(solved.down_proj.codes);
    const { before, after } = taken.down_proj.report.refinement as { before: number; after: number };
    expect(after).toBeLessThan(before);
  });

  it('has had every warning of the table', () => {
    expect(documented.length).toBe(6);
    expect(seen.size).toBe(documented.length);
  });
});
