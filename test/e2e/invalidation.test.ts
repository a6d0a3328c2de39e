/** Which stages and cells run after which change: the real nx, the real stages, a temporary workspace. */
import { cpSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';
import type { Finished, Ran } from './nx-workspace.js';

const RECIPE = `# small enough that a build takes seconds
checkpoint: ./checkpoint
graphs: { ar: [1, 32], cl: [128, 256], parts: 2 }
quantize: { recipe: minmax, embedding: { bits: 16 }, calibration: { windows: 1, windowLength: 64 } }
`;
const NX_JSON = '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n';
const RECIPE_PATH = 'models/tiny/recipe.yaml';
const LOCK_PATH = 'models/tiny/recipe.lock.json';

let workspace: NxWorkspace;

beforeAll(async () => {
  workspace = new NxWorkspace({
    'nx.json': NX_JSON,
    [RECIPE_PATH]: RECIPE,
    'models/tiny/project.json': '{ "name": "tiny" }\n',
    'other/project.json': '{ "name": "other", "targets": { "hello": { "executor": "nx:run-commands", "options": { "command": "echo hello" } } } }\n',
  });
  cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  await workspace.install();
});
afterAll(() => workspace.remove());

const PAIRS = ['ar1-cl128', 'ar1-cl256', 'ar32-cl128', 'ar32-cl256'];
const CELLS = PAIRS.flatMap((pair) => [`${pair}-1of2`, `${pair}-2of2`]);
const all = (status: 'run' | 'cached', ...tasks: readonly string[]): Ran => Object.fromEntries(tasks.map((task) => [task, status]));
const ofCells = (stage: string, cells: readonly string[] = CELLS): string[] => cells.map((cell) => `${cell}:${stage}`);
const PARTS = ['part1of2:compile', 'part2of2:compile'];
const EVERYTHING = ['load', 'optimize', 'quantize', 'arcl', ...ofCells('transform'), ...ofCells('convert'), ...PARTS, 'package'];

async function compile(environment: Readonly<Record<string, string>> = {}): Promise<Finished & { readonly ran: Ran }> {
  const before = workspace.runs();
  const finished = await workspace.nx(['run', 'tiny:compile'], environment);
  return { ...finished, ran: workspace.ran(before) };
}

/** Runs with some files changed, and puts them back: each row starts from the same build. */
async function compileWith(changes: Readonly<Record<string, (text: string) => string>>, environment: Readonly<Record<string, string>> = {}): ReturnType<typeof compile> {
  const originals = Object.keys(changes).map((path) => [path, readFileSync(join(workspace.root, path))] as const);
  try {
    for (const [path, edit] of Object.entries(changes)) workspace.write({ [path]: edit(workspace.read(path)) });
    return await compile(environment);
  } finally {
    for (const [path, bytes] of originals) writeFileSync(join(workspace.root, path), bytes);
  }
}

const replaced = (from: string, to: string) => (text: string): string => {
  if (!text.includes(from)) throw new Error(`the fixture no longer contains ${from}`);
  return text.replace(from, to);
};

describe('nx run tiny:compile', () => {
  it('runs everything once, then nothing, and says both times where the container is', async () => {
    const lock = workspace.read(LOCK_PATH);
    const first = await compile();
    expect(first.output).toContain('container: models/tiny/artifacts/container');
    expect(first.code).toBe(0);
    expect(first.ran).toEqual(all('run', ...EVERYTHING));
    expect(workspace.read(LOCK_PATH)).toBe(lock);

    const second = await compile();
    expect(second.code).toBe(0);
    expect(second.ran).toEqual({});
    expect(second.output).toMatch(/total +0 run, 23 cached/);
    expect(second.output).toContain('container: models/tiny/artifacts/container');
  });

  it('runs nothing after a comment, another key order or an explicit default', async () => {
    const edited = (): string => `generation: { maxTokens: 256 }\ngraphs: { parts: 2, cl: [256, 128], ar: [32, 1] } # any order\n${RECIPE.replace(/^graphs.*\n/m, '')}`;
    expect((await compileWith({ [RECIPE_PATH]: edited })).ran).toEqual({});
  });

  it('runs nothing after a new devDependency', async () => {
    expect((await compileWith({ 'package.json': replaced('"private": true', '"private": true, "devDependencies": { "left-pad": "1.3.0" }') })).ran).toEqual({});
  });

  it('answers everything from the store after a byte in nx.json, which Nx hashes into every task', async () => {
    const { ran, output } = await compileWith({ 'nx.json': (text) => `${text}\n` });
    expect(ran).toEqual(all('cached', ...EVERYTHING));
    expect(output).toMatch(/total +0 run, 23 cached/);
  });

  it('runs from quantize on after a quantize option', async () => {
    const { ran } = await compileWith({ [RECIPE_PATH]: replaced('bits: 16', 'bits: 8') });
    expect(ran).toEqual(all('run', 'quantize', 'arcl', ...ofCells('transform'), ...ofCells('convert'), ...PARTS, 'package'));
  });

  it('runs the new cells only, and the parts that hold them, after a new CL', async () => {
    const { ran } = await compileWith({ [RECIPE_PATH]: replaced('cl: [128, 256]', 'cl: [128, 384]') });
    const fresh = ['ar1-cl384-1of2', 'ar1-cl384-2of2', 'ar32-cl384-1of2', 'ar32-cl384-2of2'];
    expect(ran).toEqual(all('run', 'arcl', ...ofCells('transform', fresh), ...ofCells('convert', fresh), ...PARTS, 'package'));
  });

  it('runs from transform on after a transform option', async () => {
    const { ran } = await compileWith({ [RECIPE_PATH]: (text) => `${text}transform: { mha2sha: true }\n` });
    expect(ran).toEqual(all('run', ...ofCells('transform'), ...ofCells('convert'), ...PARTS, 'package'));
  });

  it('runs compile after a compile option, and package where that changed bytes', async () => {
    const { ran } = await compileWith({ [RECIPE_PATH]: (text) => `${text}compile: { prepack: false }\n` });
    // With operators of our own there is nothing to pack: the parts keep their bytes.
    expect({ ...ran, package: 'run' }).toEqual(all('run', ...PARTS, 'package'));
  });

  it('runs everything after one flipped bit of a weight, with size and time of the file kept', async () => {
    const path = join(workspace.root, 'models/tiny/checkpoint/model.safetensors');
    const original = readFileSync(path);
    const { atime, mtime } = statSync(path);
    const flipped = Buffer.from(original);
    flipped[flipped.length - 4] = (flipped[flipped.length - 4] as number) ^ 1;
    try {
      writeFileSync(path, flipped);
      utimesSync(path, atime, mtime);
      expect((await compile()).ran).toMatchObject(all('run', 'load', 'quantize'));
    } finally {
      writeFileSync(path, original);
      utimesSync(path, atime, mtime);
    }
  });

  it('stops the wave where an upstream stage ran and gave equal output', async () => {
    const text = 'models/tiny/checkpoint/calibration.txt';
    // Beyond the one window that is read.
    expect((await compileWith({ [text]: (content) => `${content}\nAnd more text that no window reaches.\n` })).ran).toEqual(all('run', 'quantize'));
    // Behind it the template only matters to the container.
    expect((await compileWith({ 'models/tiny/checkpoint/chat_template.jinja': (content) => `${content} ` })).ran).toEqual({ ...all('cached', 'load', 'quantize'), ...all('run', 'package') });
  });

  it('runs from quantize on after another calibration text', async () => {
    const { ran } = await compileWith({ 'models/tiny/checkpoint/calibration.txt': (content) => content.slice(2000) });
    expect(ran).toEqual(all('run', 'quantize', 'arcl', ...ofCells('transform'), ...ofCells('convert'), ...PARTS, 'package'));
  });

  it('runs what the tool does after another version of the tool', async () => {
    const { ran } = await compileWith({ 'node_modules/onnxruntime-node/package.json': (text) => text.replace(/"version": "[^"]+"/, '"version": "1.30.99"') });
    expect(ran).toEqual(all('run', 'quantize', ...ofCells('convert'), ...PARTS, 'package'));
  });

  it('runs what a changed module is part of, and stops where it gave equal bytes', async () => {
    const comment = (text: string): string => `${text}\n// changed\n`;
    expect((await compileWith({ 'node_modules/@tundish/toolchain-host/dist/convert.js': comment })).ran).toEqual(all('run', ...ofCells('convert')));
    expect((await compileWith({ 'node_modules/@tundish/quantize/dist/lpbq/lpbq.js': comment })).ran).toEqual(all('run', 'quantize', 'package'));
    expect((await compileWith({ 'node_modules/@tundish/nx/dist/run/container.js': comment })).ran).toEqual({});
  });

  it('never takes a lock that it had to make for one that Nx has hashed', async () => {
    const unlocked = (maxTokens: number): ReturnType<typeof compile> => {
      rmSync(join(workspace.root, LOCK_PATH));
      return compileWith({ [RECIPE_PATH]: (text) => `${text}generation: { maxTokens: ${maxTokens} }\n` });
    };
    const expected = { ...all('cached', ...EVERYTHING), package: 'run' };
    expect((await unlocked(8)).ran).toEqual(expected);
    expect((await unlocked(9)).ran).toEqual(expected);
  });

  it('is back at the first build, from the cache of Nx, when every change is taken back', async () => {
    expect((await compile()).ran).toEqual({});
  });
});

describe('a lock that does not match', () => {
  it('is an error in CI, before any task or hit, and is not rewritten', async () => {
    const before = workspace.read(LOCK_PATH);
    const { code, output, ran } = await compileWith({ [RECIPE_PATH]: replaced('bits: 16', 'bits: 8') }, { CI: 'true' });
    expect(code).not.toBe(0);
    expect(output).toContain('NX_LOCK_STALE: models/tiny/recipe.lock.json does not match its recipe, checkpoint or tools');
    expect(output).toContain('stages.quantize.options.embedding.bits: 16 in the lock, 8 now');
    expect(output).not.toMatch(/\n\s+at .*\.js/);
    expect(ran).toEqual({});
    expect(workspace.read(LOCK_PATH)).toBe(before);
    expect((await compile({ CI: 'true' })).code).toBe(0);
  });
});

describe('a recipe with a fault', () => {
  it('fails with its line and the nearest key, and leaves other projects alone', async () => {
    const broken = { [RECIPE_PATH]: replaced('quantize:', 'quantise:') };
    const { code, output, ran } = await compileWith(broken);
    expect(code).not.toBe(0);
    expect(output).toMatch(/recipe\.yaml:4/);
    expect(output).toContain('quantize');
    expect(output).not.toMatch(/\n\s+at .*\.js/);
    expect(ran).toEqual({});

    workspace.write({ [RECIPE_PATH]: 'checkpoint: [\n' });
    expect((await workspace.nx(['run', 'other:hello'])).output).toContain('hello');
    workspace.write({ [RECIPE_PATH]: RECIPE });
  });
});

describe('with the daemon', () => {
  it('sees an edit of the recipe in the next command, new cells included', async () => {
    const daemon = { NX_DAEMON: 'true' };
    expect((await compile(daemon)).ran).toEqual({});
    const { ran, code } = await compileWith({ [RECIPE_PATH]: replaced('ar: [1, 32]', 'ar: [1, 16]') }, daemon);
    expect(code).toBe(0);
    const fresh = CELLS.filter((cell) => cell.startsWith('ar32')).map((cell) => cell.replace('ar32', 'ar16'));
    expect(ran).toEqual(all('run', 'arcl', ...ofCells('transform', fresh), ...ofCells('convert', fresh), ...PARTS, 'package'));
    expect((await compile(daemon)).ran).toEqual({});
  });

  it('sees changed code of a stage', async () => {
    const { ran } = await compileWith({ 'node_modules/@tundish/stages/dist/package/defaults.js': (text) => `${text}\n// changed\n` }, { NX_DAEMON: 'true' });
    expect(ran).toEqual(all('run', 'package'));
  });
});
