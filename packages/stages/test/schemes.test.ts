/** Each scheme of weights is built to a container, with single heads, and computes what the codes stand for; what cannot be built is said before. */
import { beforeAll, describe, expect, test } from 'vitest';
import { containerLogits, distance } from './container-logits.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace, ran } from './workspace.js';

const workspace = Workspace.make(FLOAT_RECIPE);

async function built(weights: string, transform: string): Promise<{ readonly logits: Float32Array; readonly precision: unknown; readonly stages: readonly string[] }> {
  workspace.write('recipe.yaml', `${QUANTIZED_RECIPE.replace('weights: { scheme: lpbq, bits: 4, blockSize: 16 }', weights).replace(/, calibration: .*/, /activations: none/.test(weights) ? ' }' : ', calibration: { text: ./calibration.txt, windows: 2, windowLength: 8 } }')}${transform}`);
  return packaged();
}

async function packaged(): Promise<{ readonly logits: Float32Array; readonly precision: unknown; readonly stages: readonly string[] }> {
  const runs = await workspace.build('package');
  return { logits: await containerLogits(workspace), precision: runs.get('quantize')?.manifest.facts['precision'], stages: ran(runs) };
}

describe('a container', () => {
  let float: Float32Array;
  beforeAll(async () => {
    float = (await packaged()).logits;
  });

  test.each([
    ['weights: { scheme: per_channel }', 'w4a16', 0.05, 0.6],
    ['weights: { scheme: per_channel, bits: 8 }', 'w8a16', 0.001, 0.2],
    ['activations: none, weights: { scheme: per_block, blockSize: 16 }', 'w4', 0.05, 0.5],
    ['activations: none, weights: { scheme: per_block, bits: 8, blockSize: 16 }', 'w8', 0.001, 0.04],
    ['weights: { blockSize: 16 }, overrides: [{ layers: "model.layers.*.self_attn.*_proj", bits: 8 }]', 'w4a16', 0.01, 0.4],
  ] as const)('of %s is %s, as near to the checkpoint as its bits are, and the same with single heads', async (weights, precision, low, high) => {
    const whole = await built(weights, '');
    expect(whole.precision).toBe(precision);
    expect(distance(whole.logits, float)).toBeGreaterThan(low);
    expect(distance(whole.logits, float)).toBeLessThan(high);
    const heads = await built(weights, 'transform: { mha2sha: true }\n');
    expect(heads.stages).not.toContain('quantize');
    expect(distance(heads.logits, whole.logits)).toBeLessThan(weights.startsWith('activations') ? 1e-5 : 0.01);
  });
});

test('what cannot be built is an error with the line, before anything runs', async () => {
  workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('scheme: lpbq', 'scheme: per_block'));
  await expect(workspace.lock()).rejects.toMatchObject({ code: 'RECIPE_SCHEME', evidence: { line: 3 } });
  workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('weights:', 'overrides: [{ layers: model.layers.2.mlp.down_proj, bits: 8 }], weights:'));
  await expect(workspace.lock()).rejects.toMatchObject({ code: 'RECIPE_LAYER', fix: 'did you mean model.layers.0.mlp.down_proj?' });
});
