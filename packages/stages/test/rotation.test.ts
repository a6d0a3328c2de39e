/** Models whose optimize stage rotates them are built to the end, in floating point and quantized, and compute the same. */
import { openContainer } from '@tundish/runtime';
import { toolchainNamed } from '../../cli/src/toolchains.js';
import { describe, expect, test } from 'vitest';
import { materializeContainer } from '../src/index.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace, ran } from './workspace.js';

const TOKENS = Int32Array.from([1, 5, 9, 2, 7, 30, 12, 3, 44, 6]);
const ROTATED = 'optimize: { rotate: { r1: true, r2: true, r3: true } }\ntransform: { mha2sha: true }\n';

/** Logits of TOKENS by the container. */
async function logitsOf(workspace: Workspace): Promise<Float32Array> {
  const { folder } = await materializeContainer({ workspaceRoot: workspace.root, modelRoot: workspace.model, cacheRoot: workspace.cacheRoot });
  const session = await openContainer(folder, { toolchain: toolchainNamed, threads: 1 });
  try {
    const rows: Float32Array[] = [];
    for await (const row of session.engine.score(TOKENS)) rows.push(row.slice());
    return Float32Array.from(rows.flatMap((row) => [...row]));
  } finally {
    await session.close();
  }
}

/** Norm of the difference relative to the norm of what is expected. */
function distance(actual: Float32Array, expected: Float32Array): number {
  const norm = (x: Float32Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  return norm(actual.map((value, i) => value - (expected[i] as number))) / norm(expected);
}

describe('a rotated model', () => {
  test('computes what it computed in floating point, and nearly that when it is quantized', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    await workspace.build('package');
    const expected = await logitsOf(workspace);

    workspace.write('recipe.yaml', `${FLOAT_RECIPE}${ROTATED}`);
    const runs = await workspace.build('package');
    expect(ran(runs)).toEqual(expect.arrayContaining(['optimize', 'quantize', 'package']));
    expect(runs.get('load')?.status).toBe('cached');
    const { bytesWritten, manifest } = runs.get('optimize') ?? {};
    expect([bytesWritten !== undefined && bytesWritten < 200_000, manifest?.facts['rotated']]).toEqual([true, { hidden: 64, attentions: 2 }]);
    expect(distance(await logitsOf(workspace), expected)).toBeLessThan(2e-5);

    workspace.write('recipe.yaml', QUANTIZED_RECIPE);
    await workspace.build('package');
    const plain = distance(await logitsOf(workspace), expected);
    workspace.write('recipe.yaml', `${QUANTIZED_RECIPE}${ROTATED}`);
    await workspace.build('package');
    const rotated = distance(await logitsOf(workspace), expected);
    expect(rotated).toBeGreaterThan(1e-4);
    expect(rotated).toBeLessThan(1.5 * plain);
  });
});
