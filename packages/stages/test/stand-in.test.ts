/** A lock stands for files that are not on this machine, and never for one that is. */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lock } from '@tundish/recipe';
import { hostToolchain } from '@tundish/toolchain-host';
import { beforeEach, describe, expect, test } from 'vitest';
import { resolveLock } from '../src/index.js';
import { FLOAT_RECIPE, MODEL_ROOT, QUANTIZED_RECIPE, Workspace } from './workspace.js';

let workspace: Workspace;
let lock: Lock;
beforeEach(async () => {
  workspace = Workspace.make(QUANTIZED_RECIPE);
  lock = await workspace.lock();
});

function resolved(standIn: Lock | undefined, of = workspace): Promise<Lock> {
  return resolveLock({ workspaceRoot: of.root, modelRoot: MODEL_ROOT, cacheRoot: of.cacheRoot, hubCache: join(of.root, 'hub'), hub: { offline: false }, toolchainVersion: async () => (await hostToolchain().identity()).version, standIn });
}

describe('without the checkpoint and the calibration text', () => {
  beforeEach(() => {
    rmSync(workspace.path('checkpoint'), { recursive: true });
    rmSync(workspace.path('calibration.txt'));
  });

  test('a recipe resolves to its lock', async () => {
    expect(await resolved(lock)).toEqual(lock);
    await expect(resolved(undefined)).rejects.toMatchObject({ code: 'CHECKPOINT_FOLDER_NOT_FOUND' });
  });

  test('every edit of the recipe is seen, and what the model does not allow is refused', async () => {
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('cl: [32]', 'cl: [16]'));
    expect((await resolved(lock)).stages.arcl.options.cl).toEqual([16]);
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('cl: [32]', 'cl: [99999]'));
    await expect(resolved(lock)).rejects.toMatchObject({ code: 'RECIPE_CL_ABOVE_MODEL' });
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('parts: 2', 'parts: 3'));
    await expect(resolved(lock)).rejects.toMatchObject({ code: 'RECIPE_PARTS_ABOVE_LAYERS' });
  });

  test('another place, another text and a lock of an older form stand for nothing', async () => {
    await expect(resolved({ ...lock, limits: undefined })).rejects.toMatchObject({ code: 'CHECKPOINT_FOLDER_NOT_FOUND' });
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('./calibration.txt', './other.txt'));
    await expect(resolved(lock)).rejects.toMatchObject({ code: 'RECIPE_CALIBRATION_MISSING' });
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('./checkpoint', './elsewhere'));
    await expect(resolved(lock)).rejects.toMatchObject({ code: 'CHECKPOINT_FOLDER_NOT_FOUND' });
  });
});

describe('with a checkpoint that is here', () => {
  test('its files are compared', async () => {
    writeFileSync(workspace.path('checkpoint/generation_config.json'), '{ "eos_token_id": 3 }');
    writeFileSync(workspace.path('calibration.txt'), 'another text');
    const now = await resolved(lock);
    expect(now.source.files['generation_config.json']).not.toEqual(lock.source.files['generation_config.json']);
    expect(now.stages.quantize).not.toEqual(lock.stages.quantize);
  });

  test('a part of it is not the whole', async () => {
    rmSync(workspace.path('checkpoint/tokenizer.json'));
    expect((await resolved(lock)).source.files).not.toHaveProperty(['tokenizer.json']);
    rmSync(workspace.path('checkpoint/config.json'));
    await expect(resolved(lock)).rejects.toThrow('config.json');
  });
});

describe('a checkpoint of the hub', () => {
  const commit = '0123456789abcdef0123456789abcdef01234567';
  beforeEach(async () => {
    workspace = Workspace.make(FLOAT_RECIPE.replace('./checkpoint', 'org/tiny'));
    const repository = join(workspace.root, 'hub', 'models--org--tiny');
    mkdirSync(join(repository, 'refs'), { recursive: true });
    cpSync(workspace.path('checkpoint'), join(repository, 'snapshots', commit), { recursive: true });
    writeFileSync(join(repository, 'refs', 'main'), commit);
    rmSync(workspace.path('checkpoint'), { recursive: true });
    lock = await workspace.lock();
    renameSync(join(workspace.root, 'hub'), join(workspace.root, 'gone'));
  });

  test('is not downloaded for what the lock says', async () => {
    expect(await resolved(lock)).toEqual(lock);
    workspace.write('recipe.yaml', readFileSync(workspace.path('recipe.yaml'), 'utf8').replace('org/tiny', `org/tiny@${commit}`));
    expect(await resolved(lock)).toEqual(lock);
  });

  test.each(['v2', 'fedcba9876543210fedcba9876543210fedcba98'])('at %s is not known to be that of the lock', async (revision) => {
    workspace.write('recipe.yaml', readFileSync(workspace.path('recipe.yaml'), 'utf8').replace('org/tiny', `org/tiny@${revision}`));
    const offline = resolveLock({ workspaceRoot: workspace.root, modelRoot: MODEL_ROOT, cacheRoot: workspace.cacheRoot, hubCache: join(workspace.root, 'hub'), hub: { offline: true }, toolchainVersion: () => Promise.resolve('onnxruntime 1'), standIn: lock });
    await expect(offline).rejects.toMatchObject({ code: 'HUB_OFFLINE' });
  });
});
