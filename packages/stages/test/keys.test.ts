import { appendFileSync, cpSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace, ran, temporaryFolder } from './workspace.js';

const CELLS = ['ar1-cl32-1of2', 'ar1-cl32-2of2', 'ar8-cl32-1of2', 'ar8-cl32-2of2'];
const AFTER_QUANTIZE = ['arcl/ar1-cl32', 'arcl/ar8-cl32', ...CELLS.map((cell) => `transform/${cell}`), ...CELLS.map((cell) => `convert/${cell}`), 'compile/part1of2', 'compile/part2of2', 'package'];

let built: Workspace;
beforeAll(async () => {
  built = Workspace.make(QUANTIZED_RECIPE);
  expect(ran(await built.build('package'))).toEqual(['load', 'optimize', 'quantize', ...AFTER_QUANTIZE]);
});

/** The built workspace under another root: a checkout that was moved, with its cache. */
function moved(): Workspace {
  const root = temporaryFolder();
  cpSync(built.root, root, { recursive: true });
  return new Workspace(root, built.cacheRoot.replace(built.root, root));
}

/** Flips one bit of the file's last byte and restores both times. */
function flipBit(path: string): void {
  const { atime, mtime, size } = statSync(path);
  const bytes = readFileSync(path);
  bytes[size - 1] = (bytes[size - 1] as number) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

describe('what must hit', () => {
  test('everything, in a moved checkout, and the manifests are the same bytes', async () => {
    const workspace = moved();
    const before = workspace.manifests();
    const runs = await workspace.build('package');
    expect(ran(runs)).toEqual([]);
    expect([...runs.values()].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)).toBe(0);
    expect(workspace.manifests()).toEqual(before);
    for (const text of before.values()) expect(text).not.toContain(built.root);
  });

  test('a touched checkpoint, defaults that are written out, comments and threads', async () => {
    const workspace = moved();
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) utimesSync(workspace.path(`checkpoint/${file}`), new Date(), new Date());
    workspace.write('recipe.yaml', `# same as before\n${QUANTIZED_RECIPE}optimize: { foldNormGains: false, rotate: { r1: false } }\ntransform: { mha2sha: false }\nconvert: {}\npackage: {}\n`);
    expect(ran(await workspace.build('package', { threads: 2 }))).toEqual([]);
  });

  test('the evaluation text and a file that is not part of the checkpoint', async () => {
    const workspace = moved();
    workspace.write('recipe.yaml', `${QUANTIZED_RECIPE}evaluate: { text: ./other.txt, windowLength: 64 }\n`);
    workspace.write('checkpoint/LICENSE', 'anything');
    expect(ran(await workspace.build('package'))).toEqual([]);
  });

  test('a build from an empty cache writes the same manifests', async () => {
    const workspace = moved();
    const fresh = new Workspace(workspace.root, `${workspace.cacheRoot}-fresh`);
    const before = fresh.manifests();
    expect(ran(await fresh.build('package'))).toHaveLength(3 + AFTER_QUANTIZE.length);
    expect(fresh.manifests()).toEqual(before);
  });
});

describe('what must miss', () => {
  test('one bit of a weight of the first part, with the times restored: everything but the lowering of the second part', async () => {
    const workspace = moved();
    flipBit(workspace.path('checkpoint/model.safetensors'));
    const second = ['convert/ar1-cl32-2of2', 'convert/ar8-cl32-2of2', 'compile/part2of2'];
    expect(ran(await workspace.build('package'))).toEqual(['load', 'optimize', 'quantize', ...AFTER_QUANTIZE.filter((name) => !second.includes(name))]);
  });

  test('the calibration text: quantize and, as ranges moved, what follows', async () => {
    const workspace = moved();
    workspace.write('calibration.txt', 'jived fox nymph grabs quick waltz and a b c d');
    expect(ran(await workspace.build('package'))).toEqual(['quantize', ...AFTER_QUANTIZE]);
  });

  test('text behind the last window: quantize is run again, gives equal bytes, and the wave stops there', async () => {
    const workspace = moved();
    const before = workspace.manifests();
    // 42 tokens were 6 windows' worth, 2 were taken; the new tail leaves the number of whole windows as it was.
    appendFileSync(workspace.path('calibration.txt'), 'a');
    expect(ran(await workspace.build('package'))).toEqual(['quantize']);
    expect(workspace.manifests()).toEqual(before);
  });

  test('white space in tokenizer.json: those that read it are run again, and nothing follows but the container that carries it', async () => {
    const workspace = moved();
    appendFileSync(workspace.path('checkpoint/tokenizer.json'), '\n');
    expect(ran(await workspace.build('package'))).toEqual(['load', 'quantize', 'package']);
  });

  test('a file that only the container carries', async () => {
    const workspace = moved();
    workspace.write('checkpoint/special_tokens_map.json', '{}\n');
    const runs = ran(await workspace.build('package'));
    expect(runs).toContain('package');
    expect(runs).not.toContain('load');
    expect(runs.filter((name) => name.startsWith('arcl'))).toEqual([]);
  });

  test('mha2sha: transform and later', async () => {
    const workspace = moved();
    workspace.write('recipe.yaml', `${QUANTIZED_RECIPE}transform: { mha2sha: true }\n`);
    expect(ran(await workspace.build('package'))).toEqual(AFTER_QUANTIZE.slice(2));
  });

  test('prepack: compile and later; generation: the container alone', async () => {
    const workspace = moved();
    const lock = await workspace.lock();
    workspace.write('recipe.yaml', `${QUANTIZED_RECIPE}compile: { prepack: ${!lock.stages.compile.options.prepack} }\n`);
    expect(ran(await workspace.build('package'))[0]).toBe('compile/part1of2');
    workspace.write('recipe.yaml', `${QUANTIZED_RECIPE}generation: { maxTokens: 7 }\n`);
    expect(ran(await workspace.build('package'))).toEqual(['package']);
  });

  test('one more context length: its own cells and the parts that hold them, no cell that was there', async () => {
    const workspace = moved();
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('cl: [32]', 'cl: [32, 64]'));
    const runs = ran(await workspace.build('package'));
    expect(runs.filter((name) => name.includes('cl32'))).toEqual([]);
    expect(runs.filter((name) => name.includes('cl64'))).toHaveLength(2 + 4 + 4);
    expect(runs.slice(-3)).toEqual(['compile/part1of2', 'compile/part2of2', 'package']);
  });

  test('quantized and floating-point builds share load and optimize', async () => {
    const workspace = moved();
    workspace.write('recipe.yaml', FLOAT_RECIPE);
    const runs = await workspace.build('package');
    expect(ran(runs)).toEqual(['quantize', ...AFTER_QUANTIZE]);
    workspace.write('recipe.yaml', QUANTIZED_RECIPE);
    expect(ran(await workspace.build('package'))).toEqual([]);
  });

  test('folding gains: optimize and what its graph changes', async () => {
    const workspace = moved();
    workspace.write('recipe.yaml', `${QUANTIZED_RECIPE}optimize: { foldNormGains: true }\n`);
    expect(ran(await workspace.build('quantize'))).toEqual(['optimize', 'quantize']);
  });
});

test('a checkpoint folder that was renamed with its recipe hits: the key knows bytes, not places', async () => {
  const workspace = moved();
  renameSync(workspace.path('checkpoint'), workspace.path('weights'));
  workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('./checkpoint', './weights'));
  expect(ran(await workspace.build('package'))).toEqual([]);
});
