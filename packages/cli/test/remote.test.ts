/** The verbs with a remote cache: what they find there, and that results without files confuse none of them. */
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FLOAT_RECIPE, Workspace, filesBelow, temporaryFolder } from '../../stages/test/workspace.js';
import { json, main } from './built-model.js';

const VARIABLES = ['TUNDISH_REMOTE_CACHE', 'TUNDISH_REMOTE_CACHE_MODE', 'TUNDISH_REMOTE_CACHE_TOKEN'];

let first: Workspace;
let idle: Workspace;
let shared: string;

function remember(address: string, mode = ''): void {
  Object.assign(process.env, { TUNDISH_REMOTE_CACHE: address, TUNDISH_REMOTE_CACHE_MODE: mode });
}

beforeAll(async () => {
  first = Workspace.make(FLOAT_RECIPE);
  shared = temporaryFolder();
  remember(pathToFileURL(shared).href);
  const { code, stdout, stderr } = await main(first, 'build', 'models/tiny');
  expect(`${code} ${stderr}`).toMatch(/^0/);
  expect(stdout).toMatch(/^remote cache: 0 results found, 0 B down, [\d.]+ [kM]B up$/m);
});

/** A machine that has what is committed, and not the checkpoint. */
beforeEach(() => {
  const root = temporaryFolder();
  idle = new Workspace(root, join(root, '.tundish', 'cache'));
  mkdirSync(idle.path('.'), { recursive: true });
  for (const file of ['recipe.yaml', 'recipe.lock.json']) cpSync(first.path(file), idle.path(file));
  remember(pathToFileURL(shared).href);
});
afterEach(() => VARIABLES.forEach((name) => Reflect.deleteProperty(process.env, name)));

describe('with a remote cache', () => {
  it('plan and why say what it has, and write nothing', async () => {
    const { stdout } = await main(idle, 'plan', 'models/tiny');
    expect(stdout.match(/^\S+ +cached \(remote\) .*another machine made it$/gm)).toHaveLength(16);
    expect(stdout).toMatch(/^0 to run: /m);
    expect((await main(idle, 'why', 'tiny:load')).stdout).toContain('served by the remote cache');
    expect(filesBelow(idle.cacheRoot)).toEqual([]);
  });

  it('build runs nothing and brings the container, without the checkpoint', async () => {
    const { code, stdout } = await main(idle, 'build', 'models/tiny');
    expect(code).toBe(0);
    expect(stdout.match(/cached \(remote\)/g)?.length).toBe(15);
    expect(stdout).toMatch(/^remote cache: 16 results found, [\d.]+ [kM]B down, 0 B up$/m);
    const { units, remote } = json<{ units: { status: string; source: string }[]; remote: { down: number; up: number } }>(await main(idle, 'build', 'models/tiny', '--json'));
    expect(units.map(({ status, source }) => `${status} ${source}`)).toEqual(units.map(() => 'cached local'));
    expect(remote).toEqual({ down: 0, up: 0 });
    expect(filesBelow(idle.path('artifacts/container'))).toEqual(filesBelow(first.path('artifacts/container')));
  });

  it('gc, verify and inspect know that files are elsewhere', async () => {
    await main(idle, 'build', 'models/tiny');
    cpSync(first.path('checkpoint'), idle.path('checkpoint'), { recursive: true });
    for (const words of [['verify'], ['verify', 'tiny']]) {
      const { code, stdout } = await main(idle, ...words);
      expect(stdout).toMatch(/^\d+ files of entries are not here: they are fetched or made again when something reads them$/m);
      expect([code, stdout]).toEqual([0, expect.stringContaining('nothing is damaged')]);
    }
    expect((await main(idle, 'inspect', 'tiny:load')).stdout).toContain('not in the store');
    expect(json<{ entries: string[]; keptEntries: number }>(await main(idle, 'gc', '--json'))).toMatchObject({ entries: [], keptEntries: 16 });
  });

  it('doctor says whether it answers', async () => {
    const found = async (): Promise<unknown> => json<{ findings: { name: string }[] }>(await main(first, 'doctor', '--json')).findings.find(({ name }) => name === 'remote cache');
    expect(await found()).toEqual({ name: 'remote cache', status: 'ok', value: `${pathToFileURL(shared).href} answers, to read from and write to` });
    remember('http://127.0.0.1:1', 'read');
    expect(await found()).toMatchObject({ status: 'warning', value: expect.stringContaining('ECONNREFUSED') });
  });

  it('a wrong variable is an error before any work', async () => {
    remember(pathToFileURL(shared).href, 'write');
    expect(await main(idle, 'build', 'models/tiny')).toMatchObject({ code: 2, stderr: expect.stringContaining('TUNDISH_REMOTE_CACHE_MODE is write') });
    remember('s3:/x');
    expect(await main(idle, 'build', 'models/tiny')).toMatchObject({ code: 3, stderr: expect.stringContaining('REMOTE_URL') });
    expect(filesBelow(idle.path('out'))).toEqual([]);
  });
});

it('without one, entries whose files are elsewhere are no results', async () => {
  await main(idle, 'build', 'models/tiny');
  VARIABLES.forEach((name) => Reflect.deleteProperty(process.env, name));
  cpSync(first.path('checkpoint'), idle.path('checkpoint'), { recursive: true });
  const { units } = json<{ units: { unit: string; state: string }[] }>(await main(idle, 'plan', 'models/tiny', '--json'));
  expect(units.filter(({ state }) => state === 'run').map(({ unit }) => unit)).toContain('load');
  const built = json<{ units: { stage: string; status: string }[]; remote: null }>(await main(idle, 'build', 'models/tiny', '--json'));
  expect(built.units.find(({ stage }) => stage === 'load')?.status).toBe('run');
  expect(built.units.find(({ stage }) => stage === 'package')?.status).toBe('cached');
  expect(built.remote).toBeNull();
});
