import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { importGguf } from '../src/gguf/index.js';
import { llama3Scaling } from '../src/gguf/rope-divisors.js';
import { readModelConfig, ropeFrequencies } from '../src/index.js';
import type { ModelConfig } from '../src/index.js';
import { TINY, tinyMetadata, tinyTensors, tinyTokenizer } from './gguf-tiny-llama.js';
import { float32Tensor, writeGguf } from './gguf-writer.js';
import type { MetadataEntry, WrittenTensor } from './gguf-writer.js';

const scratch = mkdtempSync(join(tmpdir(), 'tundish-gguf-rope-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let runs = 0;

async function ropeOf(keys: readonly MetadataEntry[], tensors: readonly WrittenTensor[] = []): Promise<ModelConfig['rope']> {
  const name = `run-${runs++}`;
  const folder = join(scratch, name);
  mkdirSync(folder);
  await importGguf({ path: writeGguf(scratch, `${name}.gguf`, [...tinyMetadata(), ...tinyTokenizer(), ...keys], [...tinyTensors(), ...tensors]), folder, dtype: 'float16' });
  expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))).toHaveProperty('rope_scaling');
  return (await readModelConfig(join(folder, 'config.json'), ['llama'])).config.rope;
}

/** float32 at every step, as the converter of llama.cpp computes with torch. */
function divisorsOf(theta: number, headDim: number, factor: number, low: number, high: number, original: number): Float32Array {
  const f = Math.fround;
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const frequency = f(1 / f(theta ** (2 * i / headDim)));
    const wavelength = f((2 * Math.PI) / frequency);
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const smooth = f(f(f(original / wavelength) - low) / (high - low));
    return f(1 / f(f(f(1 - smooth) / factor) + smooth));
  });
}

describe('keys', () => {
  test('none', async () => expect(await ropeOf([])).toEqual({ type: 'default', theta: 10_000 }));

  test('linear', async () => {
    const linear: MetadataEntry[] = [['llama.rope.scaling.type', 'string', 'linear'], ['llama.rope.scaling.factor', 'f32', 4]];
    expect(await ropeOf(linear)).toEqual({ type: 'linear', theta: 10_000, factor: 4 });
    expect(await ropeOf([['llama.rope.scale_linear', 'f32', 2.5]])).toEqual({ type: 'linear', theta: 10_000, factor: 2.5 });
  });

  const yarn: MetadataEntry[] = [
    ['llama.rope.scaling.type', 'string', 'yarn'],
    ['llama.rope.scaling.factor', 'f32', 8],
    ['llama.rope.scaling.original_context_length', 'u32', 32],
  ];
  const standard = { type: 'yarn', theta: 10_000, factor: 8, originalMaxPositionEmbeddings: 32, betaFast: 32, betaSlow: 1, attentionFactor: 0.1 * Math.log(8) + 1, truncate: true };

  test('yarn', async () => {
    expect(await ropeOf(yarn)).toEqual(standard);
    const tuned: MetadataEntry[] = [['llama.rope.scaling.yarn_beta_fast', 'f32', 16], ['llama.rope.scaling.yarn_beta_slow', 'f32', 2], ['llama.rope.scaling.attn_factor', 'f32', 0.5]];
    expect(await ropeOf([...yarn, ...tuned])).toEqual({ ...standard, betaFast: 16, betaSlow: 2, attentionFactor: 0.5 * standard.attentionFactor });
    expect(await ropeOf([...yarn, ['llama.rope.scaling.yarn_ext_factor', 'f32', 1]])).toEqual(standard);
  });

  test.each<[string, MetadataEntry[], RegExp]>([
    ['longrope', [['llama.rope.scaling.type', 'string', 'longrope'], ['llama.rope.scaling.factor', 'f32', 8]], /scaling\.type is unknown: longrope; known: none linear yarn/],
    ['linear without a factor', [['llama.rope.scaling.type', 'string', 'linear']], /scaling\.factor is missing/],
    ['yarn with another ramp', [...yarn, ['llama.rope.scaling.yarn_ext_factor', 'f32', 0.5]], /yarn_ext_factor has no counterpart[^]*found 0\.5/],
  ])('%s is refused', async (_, keys, says) => {
    await expect(ropeOf(keys)).rejects.toThrow(says);
  });
});

describe('rope_freqs.weight', () => {
  test.each([
    { theta: 500_000, headDim: 128, factor: 8, low: 1, high: 4, original: 8192 },
    { theta: 500_000, headDim: 64, factor: 32, low: 1, high: 4, original: 8192 },
    { theta: 500_000, headDim: 64, factor: 16, low: 1, high: 4, original: 8192 },
    { theta: 500_000, headDim: 128, factor: 40, low: 1, high: 8, original: 4096 },
    { theta: 1_000_000, headDim: 128, factor: 4, low: 1, high: 2.5, original: 32_768 },
  ])('parameters are found again: %o', ({ theta, headDim, factor, low, high, original }) => {
    const stored = divisorsOf(theta, headDim, factor, low, high, original);
    expect(llama3Scaling(stored, { path: 'x.gguf', theta, headDim })).toEqual({
      rope_type: 'llama3', factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original,
    });
  });

  test('a common multiple of the factors and the context is the same function', () => {
    const place = { path: 'x.gguf', theta: 500_000, headDim: 128 };
    expect(llama3Scaling(divisorsOf(500_000, 128, 8, 2, 8, 16_384), place)).toMatchObject({ low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 });
  });

  test('ones divide nothing', () => {
    expect(llama3Scaling(new Float32Array(64).fill(1), { path: 'x.gguf', theta: 500_000, headDim: 128 })).toBeNull();
  });

  test('any value that the formula does not give is refused', () => {
    const place = { path: 'x.gguf', theta: 500_000, headDim: 128 };
    for (const index of [0, 30, 63]) {
      const stored = divisorsOf(500_000, 128, 8, 1, 4, 8192);
      stored[index] = (stored[index] ?? 0) * 1.001;
      expect(() => llama3Scaling(stored, place)).toThrow(/GGUF_ROPE_UNKNOWN: x\.gguf: rope_freqs\.weight does not follow the llama3 formula/);
    }
    expect(() => llama3Scaling(Float32Array.from({ length: 64 }, (_, i) => 1 + i), place)).toThrow(/GGUF_ROPE_UNKNOWN/);
    expect(() => llama3Scaling(new Float32Array(64), place)).toThrow(/GGUF_ROPE_UNKNOWN/);
  });

  test('in a file, the frequencies of the config are those of the file', async () => {
    const stored = divisorsOf(10_000, TINY.headDim, 8, 1, 4, 8192);
    const rope = await ropeOf([], [float32Tensor('rope_freqs.weight', [TINY.headDim / 2], stored)]);
    const { inverseFrequencies } = ropeFrequencies({ rope, headDim: TINY.headDim });
    for (const [i, inverse] of inverseFrequencies.entries()) expect(inverse * (stored[i] ?? 0)).toBeCloseTo(10_000 ** ((-2 * i) / TINY.headDim), 6);
  });

  test('together with a scaling type it is refused', async () => {
    const linear: MetadataEntry[] = [['llama.rope.scaling.type', 'string', 'linear'], ['llama.rope.scaling.factor', 'f32', 4]];
    const stored = float32Tensor('rope_freqs.weight', [TINY.headDim / 2], divisorsOf(10_000, TINY.headDim, 8, 1, 4, 8192));
    await expect(ropeOf(linear, [stored])).rejects.toThrow(/both scale the frequencies/);
  });
});
