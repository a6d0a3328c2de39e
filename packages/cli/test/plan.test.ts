/** plan and why say before a build what it then does, and why; they run and write nothing. */
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WEIGHTS_ONLY_RECIPE, type Workspace, filesBelow } from '../../stages/test/workspace.js';
import { build, builtModel, copyOf, json, main, tundish } from './built-model.js';

interface Unit {
  readonly unit: string;
  readonly state: 'cached' | 'run' | 'open';
  readonly why: string;
  readonly differences: { path: string; before?: string; after?: string }[];
  readonly entry: string | null;
  readonly prediction: { seconds: number; bytes: number; peakRssBytes: number; basis: string } | null;
}

let pristine: Workspace;
let workspace: Workspace;
beforeAll(async () => {
  pristine = await builtModel('package', WEIGHTS_ONLY_RECIPE);
});
beforeEach(() => {
  workspace = copyOf(pristine);
});

const plan = async (): Promise<Unit[]> => json<{ units: Unit[] }>(await main(workspace, 'plan', 'tiny', '--json')).units;
const statesOf = (units: readonly Unit[], state: Unit['state']): string[] => units.filter((unit) => unit.state === state).map(({ unit }) => unit);

describe('plan', () => {
  it('finds everything cached after a build, and touches nothing', async () => {
    workspace = pristine;
    const before = filesBelow(workspace.root).map((file) => [file, statSync(join(workspace.root, file)).mtimeMs]);
    const { units } = json<{ units: Unit[] }>(tundish(workspace, 'plan', 'tiny', '--json'));
    expect(statesOf(units, 'cached')).toHaveLength(16);
    expect((await main(workspace, 'plan', 'models/tiny')).stdout).toMatch(/^0 to run: /m);
    expect(filesBelow(workspace.root).map((file) => [file, statSync(join(workspace.root, file)).mtimeMs])).toEqual(before);
  });

  it('says which units run for a changed option, and the build does run them', async () => {
    workspace.write('recipe.yaml', WEIGHTS_ONLY_RECIPE.replace('activations: none', 'activations: none, embedding: { bits: 8 }'));
    const units = await plan();
    expect(statesOf(units, 'cached')).toEqual(['load', 'optimize']);
    expect(statesOf(units, 'run')).toEqual(['quantize']);
    expect(units.find(({ unit }) => unit === 'quantize')).toMatchObject({ why: 'options.embedding.bits: 16 -> 8', prediction: { basis: 'last run' } });
    // The others depend on what quantize gives; nobody knows before.
    expect(statesOf(units, 'open')).toHaveLength(13);
    expect(units.find(({ unit }) => unit === 'compile/part1of2')?.why).toMatch(/^upstream changes: runs when convert\/\S+ and convert\/\S+ gives another result/);
    const runs = await build(workspace, 'package');
    expect(runs).toEqual(expect.arrayContaining(statesOf(units, 'run')));
    expect(runs.filter((name) => statesOf(units, 'cached').includes(name))).toEqual([]);
    expect(statesOf(await plan(), 'cached')).toHaveLength(16);
  });

  it('knows an option that only one late stage reads, and a lock that would be written anew', async () => {
    workspace.write('recipe.yaml', `${WEIGHTS_ONLY_RECIPE}compile: { prepack: false }\n`);
    const units = await plan();
    expect(statesOf(units, 'run')).toEqual(['compile/part1of2', 'compile/part2of2']);
    expect(statesOf(units, 'open')).toEqual(['package']);
    const { stdout } = await main(workspace, 'plan', 'tiny');
    expect(stdout).toMatch(/^recipe\.lock\.json would be written anew: stages\.compile\.options\.prepack$/m);
    expect(stdout).toMatch(/^2 to run: .*\nat most 3, /m);
  });

  it('predicts a new cell from others of its stage, and a model that was never built from its checkpoint', async () => {
    workspace.write('recipe.yaml', WEIGHTS_ONLY_RECIPE.replace('cl: [32]', 'cl: [32, 48]'));
    const units = await plan();
    expect(units.find(({ unit }) => unit === 'arcl/ar1-cl48')).toMatchObject({ state: 'run', why: 'never built here', prediction: { basis: 'another run of the stage' } });
    expect(units.find(({ unit }) => unit === 'convert/ar1-cl48-1of2')).toMatchObject({ state: 'run', why: 'first needs transform/ar1-cl48-1of2, never made here' });
    rmSync(join(workspace.cacheRoot, 'tiny'), { recursive: true });
    const fresh = await plan();
    expect(new Set(fresh.map(({ state, prediction }) => `${state}, ${prediction?.basis}`))).toEqual(new Set(['run, checkpoint size']));
    expect((await main(workspace, 'plan', 'tiny')).stdout).toMatch(/^\? estimated from the size of the checkpoint/m);
  });

  it('notices a damaged entry and a changed checkpoint', async () => {
    const entry = join(workspace.cacheRoot, 'tiny', readdirSync(join(workspace.cacheRoot, 'tiny')).find((name) => name.startsWith('arcl_')) as string);
    const { subject } = JSON.parse(readFileSync(join(entry, 'stage.json'), 'utf8')) as { subject: string };
    rmSync(join(entry, 'graph.onnx'));
    expect((await plan()).find(({ unit }) => unit === `arcl/${subject}`)).toMatchObject({ state: 'run', why: 'the result of the last build is gone or damaged' });
    const config = workspace.path('checkpoint/config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('}', ', "comment": 1 }').replace('{,', '{'));
    const units = await plan();
    expect(units[0]).toMatchObject({ unit: 'load', state: 'run', why: expect.stringMatching(/^upstream\["source\/config\.json"\]: [0-9a-f]{12}… -> [0-9a-f]{12}…/) });
  });

  it.each([['nobody', 'STAGE_MODEL_UNKNOWN'], ['tiny', 'RECIPE_UNKNOWN_KEY']])('refuses %s with %s', async (model, code) => {
    workspace.write('recipe.yaml', `${WEIGHTS_ONLY_RECIPE}prats: 2\n`);
    const result = await main(workspace, 'plan', model);
    expect([result.code, result.stdout, result.stderr.split(':')[0]]).toEqual([3, '', code]);
  });
});

describe('why', () => {
  const why = async (target: string): Promise<Unit[]> => json<Unit[]>(await main(workspace, 'why', target, '--json'));

  it('names the entry that serves a unit of which nothing changed', async () => {
    const [unit] = json<Unit[]>(tundish(workspace, 'why', 'tiny:quantize', '--json')) as [Unit];
    expect(unit).toMatchObject({ unit: 'quantize', state: 'cached', differences: [] });
    expect(readdirSync(unit.entry as string)).toContain('builder_cache_info.json');
    expect((await main(workspace, 'why', 'tiny:quantize')).stdout).toBe(`quantize: cached, nothing changed since the last build\n  served by ${unit.entry}\n`);
  });

  it('lists every field that changed with both values, for all units of a stage or one', async () => {
    workspace.write('recipe.yaml', `${WEIGHTS_ONLY_RECIPE.replace('activations: none', 'activations: none, embedding: { bits: 8 }')}compile: { prepack: false }\n`);
    expect(await why('tiny:quantize')).toMatchObject([{ state: 'run', differences: [{ path: 'options.embedding.bits', before: '16', after: '8' }] }]);
    expect((await why('tiny:compile')).map(({ unit, differences }) => [unit, differences])).toEqual(['part1of2', 'part2of2'].map((part) => [`compile/${part}`, [{ path: 'options.compile.prepack', before: 'true', after: 'false' }]]));
    expect(await why('tiny/ar8-cl32-1of2:convert')).toMatchObject([{ unit: 'convert/ar8-cl32-1of2', state: 'open', differences: [] }]);
    const { stdout } = await main(workspace, 'why', 'tiny:quantize');
    expect(stdout).toMatch(/^quantize: runs, 1 field of its key changed since the last build\n {2}options\.embedding\.bits: 16 -> 8\n {2}compared with \S+\/quantize_[0-9a-f]{32}\n {2}made \d{4}-/);
  });

  it('compares with the build before, also when the recipe goes back to an older one', async () => {
    workspace.write('recipe.yaml', WEIGHTS_ONLY_RECIPE.replace('activations: none', 'activations: none, embedding: { bits: 8 }'));
    await build(workspace, 'quantize');
    workspace.write('recipe.yaml', WEIGHTS_ONLY_RECIPE);
    expect(await why('tiny:quantize')).toMatchObject([{ state: 'cached', differences: [{ path: 'options.embedding.bits', before: '8', after: '16' }] }]);
    expect((await main(workspace, 'why', 'tiny:quantize')).stdout).toMatch(/^quantize: cached, a build before the last one had this key$/m);
    // plan does not look for the last build of what the store has.
    expect((await plan()).find(({ unit }) => unit === 'quantize')).toMatchObject({ state: 'cached', differences: [], last: null });
  });

  it.each([['tiny', 'STAGE_TARGET'], ['tiny:nothing', 'STAGE_TARGET'], ['tiny/ar9-cl9-1of2:convert', 'STAGE_TARGET'], ['other:load', 'STAGE_MODEL_UNKNOWN']])('refuses %s with %s', async (target, code) => {
    const result = await main(workspace, 'why', target);
    expect([result.code, result.stdout, result.stderr.split(':')[0]]).toEqual([3, '', code]);
  });
});
