/** A recipe that names a GGUF file: imported once into the cache, pinned by content, built like any other checkpoint. */
import { appendFileSync, copyFileSync, existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Workspace, ran, repositoryPath } from './workspace.js';

const TINY = repositoryPath('test/fixtures/gguf/tiny-llama.gguf');
const RECIPE = 'checkpoint: ./tiny.gguf\ngraphs: { ar: [1, 8], cl: [32], parts: 2 }\nquantize: { recipe: minmax, activations: none, weights: { blockSize: 16 } }\n';

function workspaceWithFile(recipe = RECIPE): Workspace {
  const workspace = Workspace.make(recipe);
  copyFileSync(TINY, workspace.path('tiny.gguf'));
  return workspace;
}

const imports = (workspace: Workspace): string[] => readdirSync(join(workspace.cacheRoot, 'imports'));

describe('a GGUF file as a checkpoint', () => {
  test('builds a container; the lock pins the file and what it was imported as', async () => {
    const workspace = workspaceWithFile();
    const lock = await workspace.lock();
    expect(lock.source).toMatchObject({ kind: 'gguf', location: './tiny.gguf', file: { size: readFileSync(TINY).length }, import: { dtype: 'float16' }, importer: 1 });
    expect(Object.keys(lock.source.files)).toEqual(['config.json', 'generation_config.json', 'model.safetensors', 'special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json']);
    expect(ran(await workspace.build('package'))).toHaveLength(16);
    expect(imports(workspace)).toHaveLength(1);
    expect(workspace.leftovers().temporary).toEqual([]);
  });

  test('is imported once for a content: not after a touch, a copy or a second build; again when the import has lost bytes, or has others', async () => {
    const workspace = workspaceWithFile();
    const first = await workspace.lock();
    const [folder] = imports(workspace) as [string];
    const weights = join(workspace.cacheRoot, 'imports', folder, 'model.safetensors');
    const whole = readFileSync(weights);
    copyFileSync(TINY, workspace.path('other.gguf'));
    workspace.write('recipe.yaml', RECIPE.replace('tiny.gguf', 'other.gguf'));
    expect((await workspace.lock()).source.files).toEqual(first.source.files);
    expect(imports(workspace)).toEqual([folder]);
    truncateSync(weights, 100);
    expect((await workspace.lock()).source.files).toEqual(first.source.files);
    expect(readFileSync(weights)).toEqual(whole);
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(whole.readUInt8(whole.length - 5) ^ 1, whole.length - 5);
    writeFileSync(weights, flipped);
    expect((await workspace.lock()).source.files).toEqual(first.source.files);
    expect(readFileSync(weights)).toEqual(whole);
  });

  test('the dtype of the import is part of its name, and of the lock', async () => {
    const workspace = workspaceWithFile();
    const half = await workspace.lock();
    workspace.write('recipe.yaml', `${RECIPE}import: { dtype: float32 }\n`);
    const single = await workspace.lock();
    expect(imports(workspace)).toHaveLength(2);
    expect(single.source.files['model.safetensors']?.size).toBeGreaterThan(half.source.files['model.safetensors']?.size as number);
  });

  test('a file that changed after the lock was written is refused before anything is built', async () => {
    const workspace = workspaceWithFile();
    await workspace.lock();
    const changed = readFileSync(TINY);
    changed.writeUInt8((changed.at(-5) as number) ^ 1, changed.length - 5);
    rmSync(workspace.path('tiny.gguf'));
    writeFileSync(workspace.path('tiny.gguf'), changed);
    const pipeline = await workspace.open();
    await expect(pipeline.checkpoint()).rejects.toMatchObject({ code: 'STAGE_SOURCE_CHANGED', what: 'model.safetensors of the checkpoint is not the file that recipe.lock.json pins' });
  });

  test.each([
    ['is missing', (path: string): void => rmSync(path), 'STAGE_SOURCE_MISSING'],
    ['is cut', (path: string): void => truncateSync(path, 900), 'GGUF_TRUNCATED'],
    ['is something else', (path: string): void => writeFileSync(path, 'hello'), 'GGUF_NOT_GGUF'],
  ])('one that %s gives its own error and leaves no import', async (_, damage, code) => {
    const workspace = workspaceWithFile();
    damage(workspace.path('tiny.gguf'));
    await expect(workspace.lock()).rejects.toMatchObject({ code });
    expect(existsSync(join(workspace.cacheRoot, 'imports'))).toBe(false);
    expect(workspace.leftovers().temporary).toEqual([]);
  });

  test('two imports at once agree', async () => {
    const workspace = workspaceWithFile();
    appendFileSync(workspace.path('recipe.yaml'), '# twice\n');
    const [a, b] = await Promise.all([workspace.lock(), workspace.lock()]);
    expect(a).toEqual(b);
    expect(imports(workspace)).toHaveLength(1);
  });
});
