/** Blocks that are solved with the tokens that reach them: the whole walk with each named chain, on real checkpoints. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { recordingReporter } from '@tundish/diagnostics';
import { loadKernels } from '@tundish/native';
import { QUANTIZE_RECIPES, type Technique } from '@tundish/recipe/technique';
import { hostReference } from '@tundish/toolchain-host';
import { beforeAll, describe, expect, test } from 'vitest';
import { type QuantizeRequest, type QuantizeResult, documentOf, quantizeModel, writeEncodings } from '../src/index.js';
import { type AdaptedCheckpoint, adapt, repositoryPath, temporaryFolder } from './adapted.js';

const WINDOWS = 8;
const LENGTH = 40;
const LINEARS = 7;

interface Walked extends QuantizeResult {
  readonly folder: string;
  readonly digest: string;
  readonly warnings: readonly string[];
}

async function walk(adapted: AdaptedCheckpoint, technique: Technique, change: Partial<QuantizeRequest> = {}): Promise<Walked> {
  const folder = temporaryFolder();
  const reporter = recordingReporter();
  const result = await quantizeModel({
    model: adapted.model, plan: adapted.plan, resolve: adapted.resolve, folder, reporter,
    weights: { blockSize: 16, embeddingBits: 16, technique },
    activations: true,
    kernels: loadKernels(),
    calibration: { model: adapted.model, inputs: adapted.calibration(WINDOWS, LENGTH), executor: hostReference() },
    threads: 2,
    signal: new AbortController().signal,
    ...change,
  });
  const hash = createHash('sha256').update([...writeEncodings(documentOf(result.encodings))].join(''));
  for (const [name, path] of result.files) hash.update(name).update(readFileSync(path));
  return { ...result, folder, digest: hash.digest('hex'), warnings: reporter.warnings };
}

describe.each(['llama-bias-fp32', 'llama-headdim-bf16'])('%s', (name) => {
  let adapted: AdaptedCheckpoint;
  let minMax: Walked;
  beforeAll(async () => {
    adapted = await adapt(repositoryPath(`test/fixtures/golden/${name}`), LENGTH, LENGTH + 1);
    minMax = await walk(adapted, QUANTIZE_RECIPES.minmax);
  });

  test('the default chain: equal bytes on 1 and 2 threads, a report of every layer, nothing left over', async () => {
    const solved = await walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq);
    expect(solved.digest).not.toBe(minMax.digest);
    expect((await walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq, { threads: 1 })).digest).toBe(solved.digest);
    expect(solved.layers).toHaveLength(LINEARS * adapted.adaptation.layers.length);
    for (const { correction } of solved.layers) {
      expect(correction).toBeGreaterThanOrEqual(0);
      expect(correction).toBeLessThanOrEqual(1);
    }
    expect(readdirSync(solved.folder).filter((file) => file.startsWith('scratch'))).toEqual([]);
  });

  test.each(['lpbq_seqmse', 'gptaq', 'fast'] as const)('%s gives codes of its own', async (recipe) => {
    const solved = await walk(adapted, QUANTIZE_RECIPES[recipe]);
    expect(solved.digest).not.toBe(minMax.digest);
    expect(solved.layers).toHaveLength(recipe === 'fast' ? 0 : LINEARS * adapted.adaptation.layers.length);
  });

  test.each(['adascale', 'signround'] as const)('%s at the end: a block nearer to the float one in held-out tokens, equal bytes on 1 and 2 threads', async (method) => {
    const technique: Technique = { ...QUANTIZE_RECIPES.minmax, refine: { method, iterations: 6, tokens: LENGTH } };
    const refined = await walk(adapted, technique);
    expect(refined.digest).not.toBe(minMax.digest);
    expect((await walk(adapted, technique, { threads: 1 })).digest).toBe(refined.digest);
    expect(refined.layers.some(({ refinement }) => refinement !== undefined && refinement.after < refinement.before)).toBe(true);
    expect(readdirSync(refined.folder).filter((file) => file.startsWith('scratch'))).toEqual([]);
  });

  test('of weights alone the weights are the same, and no activation has an encoding', async () => {
    const both = await walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq);
    const weights = await walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq, { activations: false });
    expect(weights.encodings.activations.size).toBe(0);
    expect([...weights.encodings.parameters]).toEqual([...both.encodings.parameters]);
  });
});

test('C++ and TypeScript give equal bytes', async () => {
  const adapted = await adapt(repositoryPath('test/fixtures/golden/llama-bias-fp32'), 12, 13);
  const calibration = { model: adapted.model, inputs: adapted.calibration(WINDOWS, 12), executor: hostReference() };
  const native = await walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq, { calibration });
  expect((await walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq, { calibration, kernels: loadKernels({ allow: 'typescript' }) })).digest).toBe(native.digest);
  const refined: Technique = { ...QUANTIZE_RECIPES.lpbq_gptaq, refine: { method: 'signround', iterations: 2, tokens: 12 } };
  expect((await walk(adapted, refined, { calibration, kernels: loadKernels({ allow: 'typescript' }) })).digest).toBe((await walk(adapted, refined, { calibration })).digest);
});

test('too few tokens are named for each layer, and the build goes on', async () => {
  const adapted = await adapt(repositoryPath('test/fixtures/golden/llama-bias-fp32'), 8, 9);
  const { warnings, layers } = await walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq, { calibration: { model: adapted.model, inputs: adapted.calibration(1, 8), executor: hostReference() } });
  expect(warnings.filter((warning) => warning.includes('8 calibration tokens')).length).toBeGreaterThanOrEqual(layers.length);
});

test('a block that the forward does not know is refused by name; chains that run no block take it', async () => {
  const adapted = await adapt(repositoryPath('test/fixtures/golden/llama-bias-fp32'), LENGTH, LENGTH + 1);
  const softmax = adapted.model.graph.nodes.find(({ opType }) => opType === 'Softmax');
  softmax?.attributes.set('axis', { type: 'int', value: 3 });
  await expect(walk(adapted, QUANTIZE_RECIPES.lpbq_gptaq)).rejects.toThrow(expect.objectContaining({ code: 'QUANTIZE_UNKNOWN_BLOCK' }) as Error);
  expect((await walk(adapted, QUANTIZE_RECIPES.fast)).layers).toEqual([]);
});
