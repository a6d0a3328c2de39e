import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import { encodeManifest, readManifest } from '@tundish/store';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Unit } from '../src/index.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace, ran, temporaryFolder } from './workspace.js';

const whole = (stage: Unit['stage']): Unit => ({ stage, subject: null });

/** The error of an action: always one of ours. */
async function errorOf(action: Promise<unknown>): Promise<TundishError> {
  const error = await action.then(() => undefined, (found: unknown) => found);
  if (!(error instanceof TundishError)) throw new TypeError(`not a TundishError: ${String(error)}`);
  return error;
}

let built: Workspace;
beforeAll(async () => {
  built = Workspace.make(QUANTIZED_RECIPE);
  await built.build('package');
});

function copied(): Workspace {
  const root = temporaryFolder();
  cpSync(built.root, root, { recursive: true });
  return new Workspace(root, built.cacheRoot.replace(built.root, root));
}

function blob(workspace: Workspace, sha256: string): string {
  return join(workspace.cacheRoot, 'blobs', 'sha256', sha256.slice(0, 2), sha256);
}

function digestOf(workspace: Workspace, manifest: string, output: string): string {
  const { outputs } = JSON.parse(readFileSync(workspace.path(`out/${manifest}/stage.json`), 'utf8')) as { outputs: { name: string; sha256: string }[] };
  return outputs.find(({ name }) => name === output)?.sha256 ?? '';
}

describe('a stage that fails', () => {
  test('leaves no stage.json, no entry and no scratch; what came before stays, and the next run goes on from there', async () => {
    const workspace = Workspace.make(QUANTIZED_RECIPE);
    await workspace.lock();
    const broken = { toolchain: () => hostToolchain(), reference: () => ({ ...hostReference(), open: () => Promise.reject(new TypeError('the engine broke')) }) };
    await expect((await workspace.open({ adapters: broken })).run(whole('quantize'))).rejects.toThrow('the engine broke');
    const left = workspace.leftovers();
    expect(left.manifests).toEqual(['load/stage.json', 'optimize/stage.json']);
    expect(left.entries.map((name) => name.split('_')[0])).toEqual(['load', 'optimize']);
    expect(left.temporary).toEqual([]);
    expect(ran(await workspace.build('quantize'))).toEqual(['quantize']);
  });

  test('keeps the stage.json of its last success', async () => {
    const workspace = copied();
    const before = workspace.manifests();
    workspace.write('calibration.txt', 'short');
    await workspace.lock();
    const error = await errorOf((await workspace.open()).run(whole('quantize')));
    expect(error).toMatchObject({ code: 'STAGE_REQUIRES', what: 'the calibration text has 5 tokens, which is 0 windows of 8; the recipe asks for 2' });
    expect(workspace.manifests()).toEqual(before);
  });

  test('an abort is the caller\'s reason, and leaves nothing', async () => {
    const workspace = Workspace.make(QUANTIZED_RECIPE);
    await workspace.lock();
    const controller = new AbortController();
    const reporter = { info: () => undefined, warn: () => undefined, progress: () => controller.abort(new TypeError('enough')) };
    await expect((await workspace.open({ signal: controller.signal, reporter })).run(whole('quantize'))).rejects.toThrow('enough');
    expect(workspace.leftovers().temporary).toEqual([]);
    expect(workspace.leftovers().manifests).not.toContain('quantize/stage.json');
  });

  test('a system call that fails inside a stage has a code and names the stage', async () => {
    const workspace = Workspace.make(QUANTIZED_RECIPE);
    await workspace.lock();
    const adapters = { toolchain: () => hostToolchain(), reference: () => ({ ...hostReference(), open: () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })) }) };
    expect(await errorOf((await workspace.open({ adapters })).run(whole('quantize')))).toMatchObject({ code: 'STORE_DISK_FULL', what: 'cannot run quantize' });
  });
});

describe('a store that lost a blob', () => {
  test.each([['an input\'s graph', 'quantize', 'graph.onnx'], ['a weight file that the input only refers to', 'quantize', 'block-0.weights']])('%s is made again with the same bytes', async (_what, manifest, output) => {
    const workspace = copied();
    const digest = digestOf(workspace, manifest, output);
    rmSync(blob(workspace, digest));
    const pipeline = await workspace.open({ inputsInPlace: true });
    const input = await pipeline.input({ stage: 'arcl', subject: 'ar8-cl32' });
    expect(existsSync(input.resolve('block-0.weights'))).toBe(true);
    await pipeline.input(whole('quantize'));
    expect(existsSync(blob(workspace, digest))).toBe(true);
  });

  test('without Nx the stage that made it is run again, and nothing after it', async () => {
    const workspace = copied();
    rmSync(blob(workspace, digestOf(workspace, 'quantize', 'lm_head.weights')));
    expect(ran(await workspace.build('package'))).toEqual(['quantize']);
  });

  test('a rebuild that gives other bytes is refused, every time, and leaves stage.json as it was', async () => {
    const workspace = copied();
    const path = workspace.path('out/optimize/stage.json');
    // As if another machine had made it: a blob that is nowhere here.
    const made = readManifest(path);
    const foreign = new TextDecoder().decode(encodeManifest({ ...made, outputs: made.outputs.map((output) => ({ ...output, sha256: 'ab'.repeat(32) })) }));
    writeFileSync(path, foreign);
    for (let attempt = 0; attempt < 2; attempt++) {
      const pipeline = await workspace.open({ inputsInPlace: true });
      expect(await errorOf(pipeline.run(whole('quantize')))).toMatchObject({ code: 'STAGE_REBUILD_DIFFERS', evidence: { path } });
      expect(readFileSync(path, 'utf8')).toBe(foreign);
    }
  });

  test('an input that has not run is said to be missing', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    await workspace.lock();
    expect(await errorOf((await workspace.open({ inputsInPlace: true })).run(whole('optimize')))).toMatchObject({ code: 'STORE_MANIFEST_READ' });
  });
});

describe('what the lock pins', () => {
  test('a checkpoint file that changed after the lock', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    await workspace.lock();
    const path = workspace.path('checkpoint/model.safetensors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(path, bytes);
    expect(await errorOf((await workspace.open()).run(whole('load')))).toMatchObject({ code: 'STAGE_SOURCE_CHANGED', evidence: { path }, what: expect.stringContaining('model.safetensors') as string });
  });

  test('a floating-point build verifies the checkpoint again before it compiles its bytes', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    await workspace.build('convert');
    const path = workspace.path('checkpoint/model.safetensors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(path, bytes);
    expect(await errorOf((await workspace.open()).run({ stage: 'compile', subject: 'part1of2' }))).toMatchObject({ code: 'STAGE_SOURCE_CHANGED' });
  });

  test('a calibration text that changed after the lock, or is gone', async () => {
    const workspace = Workspace.make(QUANTIZED_RECIPE);
    await workspace.lock();
    workspace.write('calibration.txt', 'the lazy dog jumps over the quick brown fox ');
    expect(await errorOf((await workspace.open()).run(whole('quantize')))).toMatchObject({ code: 'STAGE_SOURCE_CHANGED', evidence: { path: workspace.path('calibration.txt') } });
    rmSync(workspace.path('calibration.txt'));
    expect(await errorOf((await workspace.open()).run(whole('quantize')))).toMatchObject({ code: 'STAGE_SOURCE_CHANGED', evidence: { path: workspace.path('calibration.txt') } });
  });

  test('another version of the toolchain', async () => {
    const workspace = copied();
    const adapters = { reference: () => hostReference(), toolchain: () => ({ ...hostToolchain(), identity: () => Promise.resolve({ name: 'host', version: 'onnxruntime 0.0.1', machine: 'any', operators: '' }) }) };
    const pipeline = await workspace.open({ adapters });
    expect((await pipeline.run({ stage: 'transform', subject: 'ar8-cl32-1of2' })).status).toBe('cached');
    const error = await errorOf(pipeline.run({ stage: 'convert', subject: 'ar8-cl32-1of2' }));
    expect(error).toMatchObject({ code: 'STAGE_TOOL_DIFFERS', what: expect.stringContaining('onnxruntime 0.0.1') as string });
  });

  test('no lock, a damaged lock, and a unit that it does not have', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    expect(await errorOf(workspace.open())).toMatchObject({ code: 'STAGE_LOCK_MISSING', evidence: { path: workspace.path('recipe.lock.json') } });
    workspace.write('recipe.lock.json', '{');
    expect(await errorOf(workspace.open())).toMatchObject({ code: 'RECIPE_LOCK_JSON' });
    await workspace.lock();
    const pipeline = await workspace.open();
    for (const unit of [{ stage: 'arcl', subject: 'ar9-cl32' }, { stage: 'transform', subject: null }, { stage: 'compile', subject: 'part3of2' }, { stage: 'transform', subject: 'toString' }] as const) {
      expect(await errorOf(pipeline.run(unit)), JSON.stringify(unit)).toMatchObject({ code: 'STAGE_SUBJECT_UNKNOWN' });
    }
    expect(workspace.leftovers().manifests.filter((path) => !/^(load|optimize|quantize)\//.test(path))).toEqual([]);
  });
});

describe('a checkpoint of the hub cache', () => {
  test('is found by every stage that reads it, also by the pipeline of a later process', async () => {
    const workspace = Workspace.make(FLOAT_RECIPE.replace('./checkpoint', 'org/tiny'));
    const commit = '0123456789abcdef0123456789abcdef01234567';
    const repository = join(workspace.root, 'hub', 'models--org--tiny');
    cpSync(workspace.path('checkpoint'), join(repository, 'snapshots', commit), { recursive: true });
    cpSync(workspace.path('recipe.yaml'), join(repository, 'refs', 'main'));
    writeFileSync(join(repository, 'refs', 'main'), commit);
    rmSync(workspace.path('checkpoint'), { recursive: true });
    const lock = await workspace.lock();
    expect(lock.source).toMatchObject({ kind: 'hub', location: 'org/tiny', revision: commit });
    await (await workspace.open()).run({ stage: 'convert', subject: 'ar1-cl32-1of2' });
    await (await workspace.open()).run({ stage: 'convert', subject: 'ar8-cl32-1of2' });
    const run = await (await workspace.open({ inputsInPlace: true })).run({ stage: 'compile', subject: 'part1of2' });
    expect(run.status).toBe('run');
  });
});

describe('resolving the lock', () => {
  test.each([
    ['a missing recipe', (workspace: Workspace) => rmSync(workspace.path('recipe.yaml')), 'STAGE_RECIPE_MISSING'],
    ['a missing checkpoint', (workspace: Workspace) => renameSync(workspace.path('checkpoint'), workspace.path('elsewhere')), 'CHECKPOINT_FOLDER_NOT_FOUND'],
    ['a calibration text that is not there', (workspace: Workspace) => workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('calibration.txt', 'missing.txt')), 'RECIPE_CALIBRATION_MISSING'],
    ['a context length beyond the model', (workspace: Workspace) => workspace.write('recipe.yaml', FLOAT_RECIPE.replace('32', '99999')), 'RECIPE_CL_ABOVE_MODEL'],
    ['more parts than layers', (workspace: Workspace) => workspace.write('recipe.yaml', FLOAT_RECIPE.replace('parts: 2', 'parts: 9')), 'RECIPE_PARTS_ABOVE_LAYERS'],
    ['a toolchain that nobody knows', (workspace: Workspace) => workspace.write('recipe.yaml', `${FLOAT_RECIPE}toolchain: hots\n`), 'RECIPE_VALUE'],
  ])('%s', async (_what, damage, code) => {
    const workspace = Workspace.make(FLOAT_RECIPE);
    damage(workspace);
    const error = await errorOf(workspace.resolve());
    expect(error.code).toBe(code);
    expect(error.fix ?? error.why).toBeTruthy();
    expect(error.evidence.path).toBeTruthy();
  });
});

test.skipIf(process.getuid?.() === 0)('a cache that cannot be written says so', async () => {
  const workspace = Workspace.make(FLOAT_RECIPE);
  await workspace.lock();
  const frozen = temporaryFolder();
  chmodSync(frozen, 0o500);
  expect(await errorOf((await workspace.open({ cacheRoot: frozen })).run(whole('load')))).toMatchObject({ code: 'STORE_NO_PERMISSION' });
  expect(readdirSync(frozen)).toEqual([]);
});
