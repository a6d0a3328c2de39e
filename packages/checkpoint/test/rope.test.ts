import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint, readSafetensorsHeader, readTensorBytes, ropeFrequencies, widenToFloat32 } from '../src/index.js';
import type { Rope } from '../src/index.js';
import { ConfigFields } from '../src/config-fields.js';
import { readRope } from '../src/rope-config.js';
import { parseStrictJson } from '../src/strict-json.js';
import type { JsonObject } from '../src/strict-json.js';
import { repositoryPath } from './fixtures.js';

async function goldenTable(folder: string, name: 'cos' | 'sin'): Promise<{ values: Float32Array; width: number }> {
  const path = join(folder, 'golden.safetensors');
  const tensor = (await readSafetensorsHeader(path)).tensors.get(name);
  if (tensor === undefined) throw new TypeError(`${name} is in every golden file`);
  return { values: widenToFloat32('F32', await readTensorBytes(path, tensor)), width: tensor.shape[1] ?? 0 };
}

describe('tables of the reference, float32 angles (tolerance of the goldens: 3e-5)', () => {
  const folders = ['golden/llama-mha-fp32', 'golden/llama-rope-linear-fp16', 'golden/llama-rope-llama3-bf16', 'golden/llama-rope-yarn-fp32', 'golden/llama-headdim-bf16'];
  test.each(folders)('%s', async (name) => {
    const folder = repositoryPath(`test/fixtures/${name}`);
    const { config } = await openCheckpoint(folder, { knownModelTypes: ['llama'] });
    const { inverseFrequencies, attentionScaling } = ropeFrequencies(config);
    expect(inverseFrequencies).toHaveLength(config.headDim / 2);
    for (const [table, wave] of [['cos', Math.cos], ['sin', Math.sin]] as const) {
      const { values, width } = await goldenTable(folder, table);
      let worst = 0;
      for (let p = 0; p < values.length / width; p++) {
        for (const [i, inverse] of inverseFrequencies.entries()) {
          worst = Math.max(worst, Math.abs(wave(p * inverse) * attentionScaling - (values[p * width + i] ?? Number.NaN)));
        }
      }
      expect(worst).toBeLessThan(3e-5);
    }
  });
});

function ropeOf(json: string): Rope {
  const parsed = parseStrictJson(json);
  if ('fault' in parsed) throw new TypeError(parsed.fault.message);
  return readRope(new ConfigFields('config.json', parsed.value as JsonObject), 4096);
}

describe('the ways a config writes rope', () => {
  test('no scaling, null, and the old key `type`', () => {
    expect(ropeOf('{}')).toEqual({ type: 'default', theta: 10_000 });
    expect(ropeOf('{"rope_theta": 5e5, "rope_scaling": null}')).toEqual({ type: 'default', theta: 500_000 });
    expect(ropeOf('{"rope_scaling": {"type": "linear", "factor": 2}}')).toEqual({ type: 'linear', theta: 10_000, factor: 2 });
  });

  test('rope_parameters carries theta and may leave the type out', () => {
    expect(ropeOf('{"rope_parameters": {"rope_theta": 1e6}}')).toEqual({ type: 'default', theta: 1_000_000 });
    expect(ropeOf('{"rope_parameters": {"rope_theta": 1e6, "rope_type": "linear", "factor": 4}}')).toEqual({ type: 'linear', theta: 1_000_000, factor: 4 });
  });

  test('yarn: attention factor from the paper, from mscale, or given', () => {
    const yarn = (more: string): number => {
      const rope = ropeOf(`{"rope_scaling": {"rope_type": "yarn", "factor": 40${more}}}`);
      return rope.type === 'yarn' ? rope.attentionFactor : Number.NaN;
    };
    expect(yarn('')).toBe(0.1 * Math.log(40) + 1);
    expect(yarn(', "mscale": 1.0, "mscale_all_dim": 1.0')).toBe(1);
    expect(yarn(', "mscale": 0.707')).toBe(0.1 * Math.log(40) + 1);
    expect(yarn(', "mscale": 2, "mscale_all_dim": 1')).toBeCloseTo((0.2 * Math.log(40) + 1) / (0.1 * Math.log(40) + 1), 12);
    expect(yarn(', "attention_factor": 1.5')).toBe(1.5);
  });

  test.each([
    ['{"rope_scaling": {"factor": 2}}', 'rope_scaling.rope_type is missing'],
    ['{"rope_scaling": 3}', 'rope_scaling must be an object'],
    ['{"rope_scaling": {"type": "yarn", "factor": 4, "beta_fast": 1, "beta_slow": 32}}', 'beta_fast must not be less than beta_slow'],
    ['{"rope_theta": 1, "rope_scaling": {"type": "yarn", "factor": 4}}', 'yarn needs rope_theta greater than 1'],
    ['{"rope_theta": -1}', 'rope_theta must be positive'],
  ])('refuses %s', (json, says) => {
    expect(() => ropeOf(json)).toThrow(says);
  });
});

test('yarn without rounding keeps the ramp between whole dimensions', () => {
  const yarn = { type: 'yarn', theta: 10_000, factor: 4, originalMaxPositionEmbeddings: 4096, betaFast: 32, betaSlow: 1, attentionFactor: 1 } as const;
  const rounded = ropeFrequencies({ rope: { ...yarn, truncate: true }, headDim: 64 }).inverseFrequencies;
  const exact = ropeFrequencies({ rope: { ...yarn, truncate: false }, headDim: 64 }).inverseFrequencies;
  expect(rounded[0]).toBe(1);
  expect(exact[31]).toBe(10_000 ** (-62 / 64) / 4);
  expect(exact).not.toEqual(rounded);
});
