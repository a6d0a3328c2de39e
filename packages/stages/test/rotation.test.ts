/** Models whose optimize stage rotates them are built to the end, in floating point and quantized, and compute the same. */
import { describe, expect, test } from 'vitest';
import { containerLogits, distance } from './container-logits.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace, ran } from './workspace.js';

const ROTATED = 'optimize: { rotate: { r1: true, r2: true, r3: true } }\ntransform: { mha2sha: true }\n';

describe('a rotated model', () => {
  test('computes what it computed in floating point, and nearly that when it is quantized', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    await workspace.build('package');
    const expected = await containerLogits(workspace);

    workspace.write('recipe.yaml', `${FLOAT_RECIPE}${ROTATED}`);
    const runs = await workspace.build('package');
    expect(ran(runs)).toEqual(expect.arrayContaining(['optimize', 'quantize', 'package']));
    expect(runs.get('load')?.status).toBe('cached');
    const { bytesWritten, manifest } = runs.get('optimize') ?? {};
    expect([bytesWritten !== undefined && bytesWritten < 200_000, manifest?.facts['rotated']]).toEqual([true, { hidden: 64, attentions: 2 }]);
    expect(distance(await containerLogits(workspace), expected)).toBeLessThan(2e-5);

    workspace.write('recipe.yaml', QUANTIZED_RECIPE);
    await workspace.build('package');
    const plain = distance(await containerLogits(workspace), expected);
    workspace.write('recipe.yaml', `${QUANTIZED_RECIPE}${ROTATED}`);
    await workspace.build('package');
    const rotated = distance(await containerLogits(workspace), expected);
    expect(rotated).toBeGreaterThan(1e-4);
    expect(rotated).toBeLessThan(1.5 * plain);
  });
});
