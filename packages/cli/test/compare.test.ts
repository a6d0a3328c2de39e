/** compare: recipes over one checkpoint, which share the cache with the model and leave its folder alone. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RecipeResult } from '@tundish/evaluate';
import { readSidecar } from '@tundish/store';
import { beforeAll, describe, expect, it } from 'vitest';
import { QUANTIZED_RECIPE, Workspace, filesBelow } from '../../stages/test/workspace.js';
import { build, json, main } from './built-model.js';

type Compared = RecipeResult & { readonly status: string };

const RECIPE = `${QUANTIZED_RECIPE.replace('ar: [1, 8], cl: [32], parts: 2', 'ar: [8], cl: [32]')}evaluate: { text: ./eval.txt, windowLength: 16 }\n`;
let workspace: Workspace;
beforeAll(() => {
  workspace = Workspace.make(RECIPE);
  workspace.write('eval.txt', 'pack my box with five dozen liquor jugs and then the lazy dog sleeps on the quick brown fox ');
});

async function compared(recipes: string, ...options: string[]): Promise<Compared[]> {
  return json(await main(workspace, 'compare', 'models/tiny', '--recipes', recipes, '--json', '--threads', '1', ...options));
}

/** Bytes of every file of the model. */
function folder(): Map<string, string> {
  return new Map(filesBelow(workspace.path('')).map((file) => [file, readFileSync(workspace.path(file), 'base64')]));
}

describe('compare', () => {
  let first: Compared[];

  it('quantizes by each recipe and measures it, and leaves the folder of the model as it was', async () => {
    const before = folder();
    first = await compared('minmax, fast', '--limit', '2');
    expect(first.map(({ subject, status, positions, protocol }) => [subject, status, positions, protocol.windows])).toEqual([['minmax', 'run', 30, 2], ['fast', 'run', 30, 2]]);
    const [minmax, fast] = first as [Compared, Compared];
    expect(fast.kl.mean).not.toBe(minmax.kl.mean);
    for (const { kl, bytes, seconds, peakRssBytes } of first) {
      expect(kl.mean).toBeGreaterThan(1e-9);
      expect(bytes).toBeGreaterThan(10_000);
      expect(seconds).toBeGreaterThan(0);
      expect(peakRssBytes).toBeGreaterThan(10e6);
    }
    expect(folder()).toEqual(before);
  });

  it('has built what the recipe of the model asks for', async () => {
    expect(await build(workspace, 'quantize')).toEqual([]);
  });

  it('runs nothing the second time, tells what it took the first time, and leaves lock and stage manifests as they were', async () => {
    const before = folder();
    expect([...before.keys()]).toEqual(expect.arrayContaining(['out/quantize/stage.json', 'recipe.lock.json']));
    const second = await compared('fast,minmax', '--limit', '2');
    expect(second.map(({ subject, status }) => `${subject} ${status}`)).toEqual(['fast cached', 'minmax cached']);
    expect(second).toEqual([...first].reverse().map((result) => ({ ...result, status: 'cached' })));
    const sidecars = filesBelow(workspace.cacheRoot).filter((file) => /\/quantize_\w+\/builder_cache_info\.json$/.test(file)).map((file) => readSidecar(dirname(join(workspace.cacheRoot, file))));
    expect(sidecars.map(({ wall_seconds, memory }) => `${wall_seconds} ${memory.measured}`).sort()).toEqual(first.map(({ seconds, peakRssBytes }) => `${seconds} ${peakRssBytes}`).sort());
    expect(folder()).toEqual(before);
  });

  it('takes recipes from files, and measures more than are open at once as if each were alone', async () => {
    workspace.write('float.yaml', RECIPE.replace(/quantize: .*/, 'quantize: none'));
    workspace.write('small.yaml', RECIPE.replace('quantize: {', 'quantize: { embedding: { bits: 8 },'));
    const results = await compared(`float=${workspace.path('float.yaml')},small=${workspace.path('small.yaml')},minmax,fast`, '--limit', '2');
    expect(results.map(({ subject }) => subject)).toEqual(['float', 'small', 'minmax', 'fast']);
    const [float, small, ...chains] = results as [Compared, Compared, ...Compared[]];
    expect(chains).toEqual(first.map((result) => ({ ...result, status: 'cached' })));
    expect(float.kl.mean).toBeLessThan(1e-9);
    expect(float.bytes).toBeGreaterThan(2 * (chains[0]?.bytes ?? NaN));
    expect(small.bytes).toBeLessThan(chains[0]?.bytes ?? NaN);
  });

  it('prints a table', async () => {
    const { code, stdout } = await main(workspace, 'compare', 'models/tiny', '--recipes', 'minmax,fast', '--limit', '1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^recipe +perplexity +ratio +mean KL \(nat\) +99 % +top-1 +weights +time +peak memory\nminmax +\d[^\n]* kB +[\d.]+ s +\d+ MB\nfast +[^\n]+\n1 windows of 16 tokens, 15 tokens scored; checkpoint perplexity [\d.]+; KL in nats; protocol mini-16 [0-9a-f]{12}\ntime and memory: of quantize when it ran, now for 0 of 2\n$/);
  });
});

describe('refuses', () => {
  it.each([
    ['', 2, 'CLI_USAGE: no recipe is named'],
    ['fast,', 2, 'CLI_USAGE: no recipe is called'],
    ['minmx', 2, 'did you mean minmax?'],
    ['wikitext', 2, 'name some of minmax, fast, '],
    ['fast,minmax,fast', 2, '--recipes names fast twice'],
    ['fast=own.yaml', 2, 'fast is a recipe of Tundish'],
    ['a/b=own.yaml', 2, 'does not name a recipe file'],
    ['own=', 2, 'does not name a recipe file'],
    ['own=nowhere.yaml', 3, 'STAGE_RECIPE_MISSING'],
  ])('--recipes %j', async (recipes, code, message) => {
    expect(await main(workspace, 'compare', 'models/tiny', '--recipes', recipes)).toEqual({ code, stdout: '', stderr: expect.stringContaining(message) as string });
  });

  it('recipes of another checkpoint', async () => {
    const other = Workspace.make(RECIPE);
    other.write('checkpoint/tokenizer_config.json', '{}');
    workspace.write('other.yaml', RECIPE.replace('./checkpoint', other.path('checkpoint')));
    const { code, stderr } = await main(workspace, 'compare', 'models/tiny', '--recipes', `fast,other=${workspace.path('other.yaml')}`);
    expect(stderr).toMatch(/^CLI_COMPARE_CHECKPOINT: the recipe other is of another checkpoint/);
    expect(code).toBe(3);
  });
});
