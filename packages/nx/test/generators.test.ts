/** The generators, on a tree in memory and on a folder on disk. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readNxJson } from '@nx/devkit';
import { createTreeWithEmptyWorkspace } from '@nx/devkit/testing';
import { FsTree, flushChanges } from 'nx/src/generators/tree.js';
import { PREFERS_SINGLE_HEADS, parseRecipe } from '@tundish/recipe';
import { describe, expect, it } from 'vitest';
import initGenerator from '../src/generators/init/generator.js';
import lockGenerator from '../src/generators/lock/generator.js';
import modelGenerator from '../src/generators/model/generator.js';
import { recipeText } from '../src/generators/model/recipe-template.js';
import { CHECKPOINT, emptyFolder, workspaceWithModel, writeFiles } from './temporary-workspace.js';

const GGUF = fileURLToPath(new URL('../../../test/fixtures/gguf/tiny-llama.gguf', import.meta.url));

describe('init', () => {
  it('adds what is missing, keeps what is set, and changes nothing when run again', () => {
    const tree = createTreeWithEmptyWorkspace();
    tree.write('nx.json', JSON.stringify({ parallel: 7, plugins: ['@other/plugin'] }));
    tree.write('.gitignore', 'dist\n.tundish');
    initGenerator(tree, {});
    expect(readNxJson(tree)).toEqual({ analytics: false, neverConnectToCloud: true, parallel: 7, plugins: ['@other/plugin', '@tundish/nx/plugin'] });
    expect(tree.read('.gitignore', 'utf8')).toBe('dist\n.tundish\nnode_modules\n.nx/\nmodels/*/out/\nmodels/*/artifacts/\n');
    const before = tree.listChanges().map(({ path, content }) => `${path}${content?.toString()}`);
    initGenerator(tree, {});
    expect(tree.listChanges().map(({ path, content }) => `${path}${content?.toString()}`)).toEqual(before);
  });

  it('keeps a workspace connected that is', () => {
    const tree = createTreeWithEmptyWorkspace();
    tree.write('nx.json', JSON.stringify({ nxCloudId: 'abc' }));
    initGenerator(tree, { modelsGlob: 'llm/*/project.json' });
    expect(readNxJson(tree)).toMatchObject({ nxCloudId: 'abc', plugins: [{ plugin: '@tundish/nx/plugin', options: { modelsGlob: 'llm/*/project.json' } }] });
    expect(readNxJson(tree)).not.toHaveProperty('neverConnectToCloud');
    expect(tree.read('.gitignore', 'utf8')).toContain('llm/*/out/');
  });
});

describe('model', () => {
  it('writes a project that has a lock at once', async () => {
    const root = emptyFolder();
    writeFiles(root, { 'nx.json': '{}', 'package.json': '{}' });
    const tree = new FsTree(root, false);
    const finish = modelGenerator(tree, { name: 'small', checkpoint: CHECKPOINT });
    flushChanges(root, tree.listChanges());
    await finish();
    const recipe = readFileSync(join(root, 'models/small/recipe.yaml'), 'utf8');
    expect(recipe).toMatch(/^checkpoint: "\.\.\/\.\.\//m);
    const lock = JSON.parse(readFileSync(join(root, 'models/small/recipe.lock.json'), 'utf8')) as { model: string; stages: { quantize: { options: { calibration: { text: string } } } } };
    expect(lock.model).toBe('small');
    expect(lock.stages.quantize.options.calibration.text).toMatch(/\/calibration\.txt$/);
  });

  it('takes a GGUF file, and the calibration text beside it', async () => {
    const root = emptyFolder();
    writeFiles(root, { 'nx.json': '{}', 'package.json': '{}', 'weights/calibration.txt': 'some text' });
    copyFileSync(GGUF, join(root, 'weights/tiny.gguf'));
    const tree = new FsTree(root, false);
    const finish = modelGenerator(tree, { name: 'small', checkpoint: join(root, 'weights/tiny.gguf') });
    flushChanges(root, tree.listChanges());
    await finish();
    const lock = JSON.parse(readFileSync(join(root, 'models/small/recipe.lock.json'), 'utf8')) as { source: unknown; stages: { quantize: { options: { calibration: { text: string } } } } };
    expect(lock.source).toMatchObject({ kind: 'gguf', location: '../../weights/tiny.gguf', import: { dtype: 'float16' } });
    expect(lock.stages.quantize.options.calibration.text).toBe('../../weights/calibration.txt');
  });

  it('leaves nothing behind when the checkpoint is no checkpoint', async () => {
    const root = emptyFolder();
    writeFiles(root, { 'nx.json': '{}', 'package.json': '{}', 'junk/readme.txt': 'no model here' });
    const tree = new FsTree(root, false);
    const finish = modelGenerator(tree, { name: 'small', checkpoint: join(root, 'junk') });
    flushChanges(root, tree.listChanges());
    await expect(finish()).rejects.toThrow(/config\.json/);
    expect(existsSync(join(root, 'models/small'))).toBe(false);
  });

  it('refuses a model that is there, a name that cannot be one, and a checkpoint that is nowhere', () => {
    const tree = createTreeWithEmptyWorkspace();
    tree.write('models/small/project.json', '{}');
    expect(() => modelGenerator(tree, { name: 'small', checkpoint: CHECKPOINT })).toThrow(/NX_MODEL_EXISTS: models\/small/);
    expect(() => modelGenerator(tree, { name: '../x', checkpoint: CHECKPOINT })).toThrow(/NX_OPTION/);
    expect(() => modelGenerator(tree, { name: 'other', checkpoint: './nowhere' })).toThrow(/NX_CHECKPOINT_NOT_FOUND/);
  });

  it('builds in floating point, and says why, when there is no calibration text', () => {
    const tree = createTreeWithEmptyWorkspace();
    modelGenerator(tree, { name: 'hub', checkpoint: 'org/name@main' });
    const text = tree.read('models/hub/recipe.yaml', 'utf8') ?? '';
    expect(text).toContain('checkpoint: "org/name@main"');
    expect(text).toMatch(/^quantize: none$/m);
    expect(text).toContain('this checkpoint brings none');
  });

  it('writes recipes that parse, in every form, and whose comments are the defaults', () => {
    const forms = [{ kind: 'default' }, { kind: 'none' }, { kind: 'file', path: './a "b".txt' }] as const;
    for (const calibration of forms) {
      const text = recipeText({ checkpoint: './c', calibration });
      const { recipe } = parseRecipe(Buffer.from(text), 'recipe.yaml');
      expect(recipe.checkpoint).toBe('./c');
      const uncommented = text.replace(/^# (?=toolchain|optimize|transform|compile|generation)/gm, '');
      const { graphs, optimize, transform, compile, generation } = parseRecipe(Buffer.from(uncommented), 'recipe.yaml').recipe;
      expect({ graphs, optimize, transform, compile, generation }).toEqual({ graphs: recipe.graphs, optimize: recipe.optimize, transform: { mha2sha: PREFERS_SINGLE_HEADS[recipe.toolchain] }, compile: { prepack: true }, generation: recipe.generation });
    }
  });
});

describe('lock', () => {
  it('writes the lock of the model that is named, and names the models when it is unknown', async () => {
    const root = workspaceWithModel('graphs: { cl: [512] }\n');
    writeFiles(root, { 'nx.json': '{}' });
    const tree = new FsTree(root, false);
    await lockGenerator(tree, { model: 'tiny' });
    expect(tree.listChanges().map(({ path, type }) => `${type} ${path}`)).toEqual(['CREATE models/tiny/recipe.lock.json']);
    await expect(lockGenerator(tree, { model: 'tinny' })).rejects.toThrow(/models here: tiny/);
  });
});
