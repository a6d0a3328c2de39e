/** evaluate on partial builds, and with a stage of the recipe's own between quantize and arcl. */
import { readFileSync } from 'node:fs';
import type { EvaluationResult } from '@tundish/evaluate';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Workspace, repositoryPath, workspaceWith } from '../../stages/test/workspace.js';
import { json, main } from './built-model.js';

const STAGES = '  - { use: ./stages/prune.ts, after: quantize, options: { ratio: 0.9 } }\nevaluate: { text: ./calibration.txt, windowLength: 16 }\n';
let workspace: Workspace;
beforeAll(async () => {
  workspace = workspaceWith(STAGES, Object.fromEntries(['prune.ts', 'threshold.ts'].map((name) => [name, readFileSync(repositoryPath(`test/fixtures/stages/${name}`), 'utf8')])));
  workspace.write('recipe.yaml', readFileSync(workspace.path('recipe.yaml'), 'utf8').replace('ar: [1, 8], cl: [32], parts: 2', 'ar: [8], cl: [32]'));
  await workspace.build('prune');
});

async function results(...options: string[]): Promise<ReadonlyMap<string, number>> {
  const rows = json<EvaluationResult[]>(await main(workspace, 'evaluate', 'models/tiny', '--json', ...options));
  return new Map(rows.map(({ subject, kl }) => [subject, kl.mean]));
}

describe('a build that ended behind quantize', () => {
  it('is measured stage by stage, in the order of the stages', async () => {
    const kl = await results('--stage', 'prune', '--stage', 'quantize', '--stage', 'load');
    expect([...kl.keys()]).toEqual(['load', 'quantize', 'prune']);
    expect(kl.get('load')).toBeLessThan(1e-9);
    expect(kl.get('quantize')).toBeLessThan(1e-9);
    expect(kl.get('prune')).toBeGreaterThan(1e-7);
  });

  it('shows where the loss of its last graph sits, or that an earlier one has none', async () => {
    const rows = async (...options: string[]): Promise<unknown[]> => json<{ artifacts: { float: { own: unknown } } }[]>(await main(workspace, 'evaluate', 'models/tiny', '--blocks', '--json', ...options)).map(({ artifacts }) => artifacts.float.own);
    expect(await rows()).toEqual(['exact', expect.any(Number), expect.any(Number), 'exact']);
    expect(new Set(await rows('--stage', 'optimize'))).toEqual(new Set(['exact']));
  });

  it.each([
    [['--stage', 'arcl'], 3, /^CLI_EVALUATE_STAGE: the result of arcl cannot be measured\n[^]*name one of load, optimize, quantize, prune, package/],
    [['--blocks', '--stage', 'package'], 2, /^CLI_USAGE: --blocks looks into the graph of one stage/],
    [[], 3, /^STORE_MANIFEST_READ: a stage manifest is missing\n[^]*package\/stage\.json/m],
  ])('refuses %j', async (options, code, message) => {
    expect(await main(workspace, 'evaluate', 'models/tiny', ...options)).toEqual({ code, stdout: '', stderr: expect.stringMatching(message) as string });
  });
});

it('measures the last graph before arcl of a whole build, which the container agrees with', async () => {
  await workspace.build('package');
  const kl = await results();
  expect([...kl.keys()]).toEqual(['load', 'prune', 'container']);
  expect(kl.get('container')).toBeCloseTo(kl.get('prune') as number, 9);
});

it('leaves a container of which inspect tells the memory of each stage, the own one in its place', async () => {
  const container = workspace.path('artifacts/container');
  const { memory } = json<{ memory: Record<string, { declared: number | null; measured: number }> }>(await main(workspace, 'inspect', container, '--json'));
  expect(Object.fromEntries(Object.entries(memory).map(([unit, { declared }]) => [unit, declared]))).toEqual({ load: 200e6, quantize: null, 'compile/part1of1': expect.any(Number) as number });
  expect(Object.values(memory).every(({ measured }) => measured > 10e6)).toBe(true);
  expect((await main(workspace, 'inspect', container)).stdout).toMatch(/^ {2}quantize: nothing declared, [\d.]+ [MG]B measured$/m);
});
