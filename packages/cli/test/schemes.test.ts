/** Schemes of weights on the bundled model, judged by what it then says: mean KL against the checkpoint. */
import type { RecipeResult } from '@tundish/evaluate';
import { beforeAll, describe, expect, it } from 'vitest';
import { Workspace, repositoryPath } from '../../stages/test/workspace.js';
import { json, main } from './built-model.js';

const CALIBRATION = 'calibration: { text: ./checkpoint/calibration.txt, windows: 8, windowLength: 128 }';
/** Reads the calibration text, quickly. */
const DIAGONAL = `scales: { search: grid, weighting: diagonal }, ${CALIBRATION}`;

const SECTIONS = {
  lpbq: 'recipe: minmax',
  channel4: 'recipe: minmax, weights: { scheme: per_channel }',
  channel8: 'recipe: minmax, weights: { scheme: per_channel, bits: 8 }',
  block4: 'recipe: minmax, weights: { scheme: per_block }',
  block8: 'recipe: minmax, weights: { scheme: per_block, bits: 8 }',
  channel4grid: 'recipe: fast, weights: { scheme: per_channel }',
  channel4gptq: `recipe: lpbq_gptaq, weights: { scheme: per_channel }, scales: { search: seqmse }, ${CALIBRATION}`,
  block4gptq: `recipe: lpbq_gptaq, weights: { scheme: per_block }, ${CALIBRATION}`,
  diagonal: DIAGONAL,
  mixed: `mixedPrecision: { budget: 1.15 }, ${DIAGONAL}`,
  // About as many bytes more as `mixed` has, in layers that need them less.
  elsewhere: `overrides: [{ layers: "model.layers.[1-3].mlp.up_proj", bits: 8 }], ${DIAGONAL}`,
} as const;

let results: Readonly<Record<keyof typeof SECTIONS, RecipeResult>>;
beforeAll(async () => {
  const workspace = Workspace.make('checkpoint: ./checkpoint\n', repositoryPath('models/llama32/checkpoint'));
  for (const [name, section] of Object.entries(SECTIONS)) {
    workspace.write(`${name}.yaml`, `checkpoint: ./checkpoint\ngraphs: { ar: [32], cl: [128] }\nquantize: { recipe: minmax, activations: none, ${section} }\nevaluate: { text: ./checkpoint/eval.txt, windowLength: 128 }\n`.replace(/recipe: minmax, activations: none, recipe/, 'activations: none, recipe'));
  }
  const recipes = Object.keys(SECTIONS).map((name) => `${name}=${workspace.path(`${name}.yaml`)}`).join(',');
  const found: RecipeResult[] = json(await main(workspace, 'compare', 'models/tiny', '--recipes', recipes, '--json', '--threads', '2', '--limit', '8'));
  results = Object.fromEntries(found.map((result) => [result.subject, result])) as typeof results;
});

const kl = (name: keyof typeof SECTIONS): number => results[name].kl.mean;

describe('mean KL', () => {
  it.each([
    ['lpbq', 0.02, 0.035], ['channel4', 0.03, 0.07], ['channel8', 0.00005, 0.0005], ['block4', 0.015, 0.03], ['block8', 0.00003, 0.0003],
  ] as const)('of %s is between %d and %d', (name, low, high) => {
    expect(kl(name)).toBeGreaterThan(low);
    expect(kl(name)).toBeLessThan(high);
  });

  it('falls with searched scales and rounding with feedback, for each scheme', () => {
    expect(kl('channel4grid')).toBeLessThan(0.9 * kl('channel4'));
    expect(kl('channel4gptq')).toBeLessThan(0.6 * kl('channel4'));
    expect(kl('block4gptq')).toBeLessThan(0.6 * kl('block4'));
  });

  it('falls by far more where data choose the layers that are raised than elsewhere, within the bytes that were given', () => {
    const more = (name: 'mixed' | 'elsewhere'): number => results[name].bytes - results.diagonal.bytes;
    expect(more('mixed')).toBeGreaterThan(0);
    expect(more('mixed')).toBeLessThan(more('elsewhere'));
    expect(kl('mixed')).toBeLessThan(0.65 * kl('diagonal'));
    expect(kl('mixed')).toBeLessThan(0.75 * kl('elsewhere'));
  });
});
