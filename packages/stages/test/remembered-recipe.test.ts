/** recipe.yaml is parsed once in its life; what is remembered of it changes nothing that a user sees. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '@tundish/store';
import { expect, it } from 'vitest';
import { FLOAT_RECIPE, Workspace } from './workspace.js';

const memoOf = (workspace: Workspace): string => join(workspace.cacheRoot, 'recipes.json');

/** Rewrites the memo with a checksum that fits. */
function edit(workspace: Workspace, change: (body: string) => string): void {
  const body = change(readFileSync(memoOf(workspace), 'utf8').split('\n')[1] as string);
  writeFileSync(memoOf(workspace), `${sha256(body)}\n${body}\n`);
}

it('remembers a recipe by its text, and reads a damaged memo as none', async () => {
  const workspace = Workspace.make(FLOAT_RECIPE);
  const lock = await workspace.resolve();
  expect(await workspace.resolve()).toEqual(lock);
  edit(workspace, (body) => body.replace('"maxTokens":256', '"maxTokens":99'));
  expect((await workspace.resolve()).generation).toEqual({ maxTokens: 99 });
  workspace.write('recipe.yaml', `${FLOAT_RECIPE}# a remark\n`);
  expect(await workspace.resolve()).toEqual(lock);
  workspace.write('recipe.yaml', FLOAT_RECIPE);
  writeFileSync(memoOf(workspace), readFileSync(memoOf(workspace), 'utf8').replace('"maxTokens":99', '"maxTokens":98'));
  expect(await workspace.resolve()).toEqual(lock);
});

it('forgets what other code has read', async () => {
  const workspace = Workspace.make(FLOAT_RECIPE);
  const lock = await workspace.resolve();
  edit(workspace, (body) => body.replace('"maxTokens":256', '"maxTokens":99').replace(/^\[\["[0-9a-f]{64}"/, `[["${sha256('the digest of other code and this text')}"`));
  expect(await workspace.resolve()).toEqual(lock);
});

it('says where a fault of a remembered recipe stands', async () => {
  const workspace = Workspace.make(FLOAT_RECIPE.replace('parts: 2', '\n  parts: 3'));
  const refused = async (): Promise<Error> => workspace.resolve().then(() => expect.fail('resolved'), (error: unknown) => error as Error);
  const first = await refused();
  expect(existsSync(memoOf(workspace))).toBe(true);
  const { message, evidence } = (await refused()) as Error & { readonly evidence: object };
  expect(message).toBe(first.message);
  expect(evidence).toMatchObject({ path: workspace.path('recipe.yaml'), line: 3, column: 3 });
});

it('resolves where nothing can be remembered', async () => {
  const workspace = Workspace.make(FLOAT_RECIPE);
  // Root may write everywhere, but not a file over a folder.
  mkdirSync(memoOf(workspace), { recursive: true });
  const lock = await workspace.resolve();
  expect(statSync(memoOf(workspace)).isDirectory()).toBe(true);
  expect(await workspace.resolve()).toEqual(lock);
});
