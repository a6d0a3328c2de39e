/** Which layers get more bits: the budget in bytes, the order by data, and what an override keeps. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentReporter } from '@tundish/diagnostics';
import { loadKernels } from '@tundish/native';
import { QUANTIZE_RECIPES } from '@tundish/recipe/technique';
import { hostReference } from '@tundish/toolchain-host';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type QuantizeRequest, type QuantizeResult, type WeightSchemes, quantizeModel } from '../src/index.js';
import { type MeasuredLayer, RAISED, chooseLayers, weightBytes } from '../src/mixed-precision/choose-layers.js';
import type { BlockCache } from '../src/block-cache.js';
import { LayerSensitivity } from '../src/engine/layer-sensitivity.js';
import { forwardBlock } from '../src/forward/block-forward.js';
import { type BlockWeights, LINEAR_ROLES, type LinearRole, linearDims } from '../src/forward/block-weights.js';
import { adapt, repositoryPath, temporaryFolder } from './adapted.js';

const LPBQ = { scheme: 'lpbq', bits: 4, blockSize: 16 } as const;
const schemes: WeightSchemes = { scheme: LPBQ };

const names = (raised: readonly { readonly name: string }[] = []): string[] => raised.map(({ name }) => name);

describe('chooseLayers', () => {
  const layer = (name: string, sensitivity: number, rows = 64, columns = 64): MeasuredLayer => ({ name: `${name}.weight`, sensitivity, rows, columns });
  const four = ['a', 'b', 'c', 'd'].map((name, i) => layer(name, [1, 8, 4, 2][i] as number));

  test('takes the most sensitive first, as many as the budget holds', () => {
    // 8 bits a channel take 1.73 times what LPBQ in blocks of 16 does.
    const chosen = (budget: number): string[] => names(chooseLayers(four, schemes, { budget }));
    expect([1.01, 1.19, 1.38, 1.56, 2].map((budget) => chosen(budget).join(''))).toEqual(['', 'b', 'bc', 'bcd', 'bcda']);
    expect(chooseLayers(four, schemes, { budget: 1.19 })).toEqual([{ name: 'b', sensitivity: 8 }]);
  });

  test('counts bytes: a small layer goes before a large one that is as sensitive, and what does not fit is passed over', () => {
    const sizes = [layer('large', 8, 512, 64), layer('small', 4, 64, 64), layer('tiny', 0.25, 16, 64)];
    expect(names(chooseLayers(sizes, schemes, { budget: 1.1 }))).toEqual(['small', 'tiny']);
  });

  test('leaves layers with a scheme of their own alone, and their bytes count', () => {
    const given = { scheme: LPBQ, overrides: { b: RAISED, c: LPBQ } };
    expect(names(chooseLayers(four, given, { budget: 1.38 }))).toEqual(['d']);
    expect(chooseLayers(four, given, { budget: 1.1 })).toEqual([]);
  });

  test('never spends more than the budget', () => {
    const layers = fc.array(fc.record({ sensitivity: fc.double({ min: 0, max: 1, noNaN: true }), rows: fc.integer({ min: 1, max: 64 }), columns: fc.constantFrom(32, 64, 128) }), { minLength: 1, maxLength: 12 });
    fc.assert(fc.property(layers, fc.double({ min: 1.01, max: 2, noNaN: true }), (shapes, budget) => {
      const named = shapes.map((shape, i) => ({ ...shape, name: `${i}` }));
      const raised = names(chooseLayers(named, schemes, { budget }));
      const spent = named.reduce((sum, { name, rows, columns }) => sum + weightBytes(raised.includes(name) ? RAISED : LPBQ, rows, columns), 0);
      expect(spent).toBeLessThanOrEqual(budget * named.reduce((sum, { rows, columns }) => sum + weightBytes(LPBQ, rows, columns), 0) + 1e-6);
    }));
  });
});

test('sensitivity is what the rounding of one layer changes in the stream that leaves the block', () => {
  const shape = { hidden: 16, heads: 4, kvHeads: 2, headDim: 4, ffn: 24, epsilon: 1e-5 };
  const context = { kernels: loadKernels(), shape, threads: 1 };
  let state = 5;
  const random = (length: number): Float32Array => Float32Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5);
  const linears = Object.fromEntries(LINEAR_ROLES.map((role) => [role, { weight: random(linearDims(role, shape).out * linearDims(role, shape).in) }])) as BlockWeights['linears'];
  const weights: BlockWeights = { linears, attentionGain: random(16), mlpGain: random(16) };
  const rope = { cos: random(3 * 2), sin: random(3 * 2) };
  const x = random(3 * 16);
  const times = (role: LinearRole, factor: number): BlockWeights['linears'] => ({ ...linears, [role]: { weight: linears[role].weight.map((value) => value * factor) } });
  const measure = new LayerSensitivity(context, weights, { ...times('down_proj', 2), q_proj: times('q_proj', 1.5).q_proj }, rope);
  measure.add(x);
  measure.add(x);
  // Doubled, down adds once more what it adds to the stream.
  const [y, without] = [linears, times('down_proj', 0)].map((changed) => forwardBlock(context, { ...weights, linears: changed }, x, rope)) as [Float32Array, Float32Array];
  const squares = (values: Float32Array): number => values.reduce((sum, value) => sum + value ** 2, 0);
  expect(measure.of('down_proj')).toBeCloseTo(squares(y.map((value, i) => value - (without[i] as number))) / squares(y), 5);
  expect(measure.of('q_proj')).toBeGreaterThan(0);
  for (const role of LINEAR_ROLES) if (role !== 'down_proj' && role !== 'q_proj') expect(measure.of(role)).toBe(0);
});

/** Keeps results by what decides them, as a store does. */
class Kept implements BlockCache {
  readonly made: string[] = [];
  readonly #folders = new Map<string, string>();

  async block(name: string, inputs: Parameters<BlockCache['block']>[1], make: Parameters<BlockCache['block']>[2]): ReturnType<BlockCache['block']> {
    const key = JSON.stringify([name, inputs()]);
    let folder = this.#folders.get(key);
    if (folder === undefined) {
      folder = temporaryFolder();
      this.made.push(name);
      await make(folder);
      this.#folders.set(key, folder);
    }
    const path = (file: string): string => join(folder as string, file);
    return { path: (file) => Promise.resolve(path(file)), sha256: (file) => `${key.length} ${path(file)}` };
  }
}

describe('a walk', () => {
  async function walk(change: Partial<QuantizeRequest['weights']>, blocks?: BlockCache): Promise<QuantizeResult & { readonly folder: string }> {
    const adapted = await adapt(repositoryPath('test/fixtures/golden/llama-bias-fp32'), 12, 13);
    const folder = temporaryFolder();
    const result = await quantizeModel({
      model: adapted.model, plan: adapted.plan, resolve: adapted.resolve, folder, reporter: silentReporter,
      weights: { schemes, embeddingBits: 16, technique: QUANTIZE_RECIPES.lpbq_gptaq, ...change },
      activations: false, kernels: loadKernels(), threads: 2, signal: new AbortController().signal,
      calibration: { model: adapted.model, inputs: adapted.calibration(8, 12), executor: hostReference() },
      ...(blocks === undefined ? {} : { blocks }),
    });
    return { ...result, folder };
  }

  test('raises what its own report ranks first, and keeps within the bytes; blocks before the first raised layer are made once', async () => {
    const plain = await walk({});
    expect(plain.raised).toBeUndefined();
    expect(plain.layers.every(({ sensitivity }) => sensitivity === undefined)).toBe(true);
    const kept = new Kept();
    const result = await walk({ mixedPrecision: { budget: 1.15 } }, kept);
    const { encodings, layers } = result;
    const raised = names(result.raised);
    expect(raised.length).toBeGreaterThan(0);
    expect(raised.length).toBeLessThan(layers.length);
    for (const [name, encoding] of encodings.parameters) if (/_proj\.weight$/.test(name)) expect(encoding.kind, name).toBe(raised.includes(name.replace('.weight', '')) ? 'per-channel' : 'lpbq');
    // Raised, a layer changes what leaves its block far less than before.
    const after = new Map(layers.map(({ name, sensitivity }) => [name.replace('.weight', ''), sensitivity as number]));
    for (const { name, sensitivity } of result.raised ?? []) expect(after.get(name)).toBeLessThan(0.1 * sensitivity);
    const first = Math.min(...raised.map((name) => Number(/layers\.(\d+)/.exec(name)?.[1])));
    expect(kept.made.slice(0, 3)).toEqual(['embedding', 'block-0', 'block-1']);
    expect(kept.made.slice(3)).toEqual([...(first === 0 ? ['block-0'] : []), 'block-1', 'lm_head']);
  });

  test('smooths layers whatever their schemes are', async () => {
    const technique = { ...QUANTIZE_RECIPES.lpbq_gptaq, smoothing: { method: 'awq', points: 3 } } as const;
    const overrides = { 'model.layers.0.self_attn.v_proj': RAISED, 'model.layers.1.mlp.down_proj': { scheme: 'per_channel', bits: 4 } } as const;
    const { layers } = await walk({ technique, schemes: { scheme: LPBQ, overrides } });
    expect(layers.every(({ smoothing }) => smoothing !== undefined && smoothing >= 0)).toBe(true);
    expect(layers.find(({ name }) => name.startsWith('model.layers.0.self_attn.v_proj'))?.nearestError).toBeLessThan(1e-3);
    expect(Math.max(...layers.map(({ error }) => error))).toBeLessThan(0.05);
  });

  test('without a cache leaves nothing of the pass that measures, and gives the same', async () => {
    const [alone, cached] = [await walk({ mixedPrecision: { budget: 1.15 } }), await walk({ mixedPrecision: { budget: 1.15 } }, new Kept())];
    expect(alone.raised).toEqual(cached.raised);
    expect([...alone.encodings.parameters]).toEqual([...cached.encodings.parameters]);
    expect(() => writeFileSync(join(alone.folder, 'measured', 'x'), '')).toThrow(/ENOENT/);
  });
});
