/** gc on a built model, as a process: what its manifests and containers need stays; the rest goes. */
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Pipeline, restoreContainer } from '@tundish/stages';
import { describe, expect, it } from 'vitest';
import { WEIGHTS_ONLY_RECIPE, type Workspace, filesBelow } from '../../stages/test/workspace.js';
import { build, builtModel, json, main, tundish } from './built-model.js';

interface Report {
  readonly entries: string[];
  readonly blobs: string[];
  readonly freedBytes: number;
  readonly fits: boolean;
}

/** As if nobody had used the store for a month. */
function age({ cacheRoot }: Workspace): void {
  const month = new Date(Date.now() - 30 * 24 * 60 * 60 * 1000);
  for (const file of filesBelow(cacheRoot)) utimesSync(join(cacheRoot, file), month, month);
}

describe('gc', () => {
  it('keeps what a built model needs, and frees everything when the model is gone', async () => {
    const workspace = await builtModel('package', WEIGHTS_ONLY_RECIPE);
    await restoreContainer(await Pipeline.open(workspace.request({ inputsInPlace: true })));
    // A result that no manifest of the model names any more.
    workspace.write('recipe.yaml', 'checkpoint: ./checkpoint\ngraphs: { ar: [1, 8], cl: [32], parts: 2 }\nquantize: none\n');
    await build(workspace, 'quantize');
    rmSync(workspace.path('out/quantize'), { recursive: true });
    age(workspace);
    const kept = json<Report>(tundish(workspace, 'gc', '--keep-days', '0', '--max-size', '1kB', '--json'), 1);
    expect(kept).toMatchObject({ fits: false });
    // Blocks of quantize are steps on the way: no manifest names their entries.
    expect(new Set(kept.entries.map((path) => path.split('/').at(-1)?.split('_')[0]))).toEqual(new Set(['quantize', 'quantize-block']));
    expect(kept.entries.filter((path) => path.includes('/quantize_'))).toHaveLength(1);
    for (const file of filesBelow(workspace.path('artifacts/container'))) expect(statSync(workspace.path(`artifacts/container/${file}`)).nlink).toBeGreaterThan(1);
    const left = readdirSync(join(workspace.cacheRoot, 'tiny')).length;
    rmSync(workspace.path('out'), { recursive: true });
    rmSync(workspace.path('artifacts'), { recursive: true });
    age(workspace);
    expect((await main(workspace, 'gc', '--dry-run')).stdout).toMatch(/^would free .*: \d+ entries, \d+ blobs/m);
    const all = json<Report>(await main(workspace, 'gc', '--json'));
    expect(all.entries).toHaveLength(left);
    expect(all.blobs.length).toBeGreaterThan(left);
    expect(filesBelow(join(workspace.cacheRoot, 'blobs'))).toEqual([]);
    expect(await build(workspace, 'load')).toEqual(['load']);
  });

  it('stops before it removes anything when it cannot read what a model needs', async () => {
    const workspace = await builtModel('optimize', WEIGHTS_ONLY_RECIPE);
    workspace.write('out/optimize/stage.json', '{');
    age(workspace);
    const before = filesBelow(workspace.cacheRoot);
    const { code, stderr } = await main(workspace, 'gc', '--keep-days', '0');
    expect([code, stderr.split(':')[0]]).toEqual([3, 'STAGE_ROOT_UNREADABLE']);
    expect(filesBelow(workspace.cacheRoot)).toEqual(before);
  });

  it.each([['--max-size', '20 elephants'], ['--keep-days', '-1']])('refuses %s %s', async (flag, value) => {
    expect((await main({ root: '/' }, 'gc', flag, value)).code).toBe(2);
  });
});
