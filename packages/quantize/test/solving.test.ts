/** Blocks that are solved with the tokens that reach them: the whole walk with each named chain, on real checkpoints. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { recordingReporter } from '@tundish/diagnostics';
import { type Model, type Node, floatTensor } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { QUANTIZE_RECIPES, type Technique } from '@tundish/recipe/technique';
import { hostReference } from '@tundish/toolchain-host';
import { beforeAll, describe, expect, test } from 'vitest';
import { windowFeeds } from '../src/calibration/windows.js';
import { findParameters } from '../src/parameters.js';
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
    weights: { schemes: { scheme: { scheme: 'lpbq', bits: 4, blockSize: 16 } }, embeddingBits: 16, technique },
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
    const technique: Technique = { ...QUANTIZE_RECIPES.minmax, refine: { method, iterations: 48, tokens: LENGTH } };
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

describe('smoothing', () => {
  const smooth = (technique: Technique): Technique => ({ ...technique, smoothing: { method: 'awq', points: 4 } });
  let adapted: AdaptedCheckpoint;
  beforeAll(async () => {
    adapted = withLoudChannels(await adapt(repositoryPath('test/fixtures/golden/llama-bias-fp32'), LENGTH, LENGTH + 1));
  });

  /** Logits of the first window, in ONNX Runtime. */
  async function logitsOf(model: Model, resolve: (location: string) => string): Promise<Float32Array> {
    const opened = await hostReference().open({ model, resolve, threads: 2 });
    const outputs = await opened.run(windowFeeds(adapted.calibration(WINDOWS, LENGTH), { name: 'whole', model, input: undefined, output: 'logits' }, 0, undefined), ['logits']);
    await opened.close();
    return outputs.get('logits') as Float32Array;
  }

  test('brings the outputs of a model with loud channels nearer, and reports its exponents', async () => {
    const expected = await logitsOf(adapted.model, adapted.resolve);
    const [plain, smoothed] = await Promise.all([QUANTIZE_RECIPES.minmax, smooth(QUANTIZE_RECIPES.minmax)].map(async (technique) => {
      const walked = await walk(adapted, technique, { activations: false });
      const logits = await logitsOf(walked.model, (location) => walked.files.get(location) as string);
      return { ...walked, error: logits.reduce((sum, value, i) => sum + (value - (expected[i] as number)) ** 2, 0) };
    })) as [Walked & { error: number }, Walked & { error: number }];
    expect(smoothed.error).toBeLessThan(0.5 * plain.error);
    const exponents = smoothed.layers.map(({ smoothing }) => smoothing as number);
    expect(exponents).toHaveLength(LINEARS * adapted.adaptation.layers.length);
    expect(exponents.every((exponent) => [0, 0.25, 0.5, 0.75].includes(exponent))).toBe(true);
    // q and gate of each block read what is loud.
    for (const at of [0, 4]) expect(exponents[at]).toBeGreaterThan(0);
  });

  test('gives equal bytes on 1 and 2 threads, in front of every chain', async () => {
    const solved = await walk(adapted, smooth(QUANTIZE_RECIPES.lpbq_gptaq));
    expect((await walk(adapted, smooth(QUANTIZE_RECIPES.lpbq_gptaq), { threads: 1 })).digest).toBe(solved.digest);
    for (const recipe of ['lpbq_seqmse', 'gptaq'] as const) {
      const { layers } = await walk(adapted, smooth(QUANTIZE_RECIPES[recipe]));
      expect(layers.some(({ smoothing }) => smoothing !== 0)).toBe(true);
    }
  });

  test('is refused where two norms share a gain', async () => {
    const shared = await adapt(repositoryPath('test/fixtures/golden/llama-bias-fp32'), LENGTH, LENGTH + 1);
    const [first, second] = shared.model.graph.nodes.filter(({ opType }) => opType === 'RMSNormalization') as [Node, Node];
    second.replaceInput(1, first.input(1));
    await expect(walk(shared, smooth(QUANTIZE_RECIPES.minmax))).rejects.toThrow(/QUANTIZE_SMOOTHING: .*input_layernorm/);
  });
});

/**
 * Some channels of the norms in the blocks 64 times louder and the weights that read them smaller, which changes nothing; and
 * biases of v and up 20 times larger, so that one that does not go with its weight is seen.
 */
function withLoudChannels(adapted: AdaptedCheckpoint): AdaptedCheckpoint {
  const { graph } = adapted.model;
  for (const { name, root, uses } of findParameters(graph)) {
    const [kind] = /layernorm|(?:q|k|v|gate|up)_proj\.weight$|(?:v|up)_proj\.bias$/.exec(name) ?? [];
    if (kind === undefined) continue;
    const loud = kind === 'layernorm' ? 64 : 1 / 64;
    const factors = Float32Array.from({ length: Number(root.shape?.at(-1)) }, (_, i) => (kind.endsWith('bias') ? 20 : i % 13 === 4 ? loud : 1));
    const product = graph.addNode({ opType: 'Mul', name: graph.uniqueName('louder'), inputs: [root, graph.addInitializer(graph.uniqueName('factors'), floatTensor(factors))] }).output();
    [product.dtype, product.shape] = [root.dtype, root.shape];
    for (const { node, index } of uses) node.replaceInput(index, product);
  }
  return adapted;
}

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
