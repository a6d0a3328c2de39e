/** A workspace in a temporary folder with one model on the repository's own checkpoint; removed after each test. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach } from 'vitest';

export const CHECKPOINT = fileURLToPath(new URL('../../../models/llama32/checkpoint', import.meta.url));

const created: string[] = [];
let environment: NodeJS.ProcessEnv = {};
beforeEach(() => {
  environment = { ...process.env };
  // Nx takes any CI variable for continuous integration unless this one says no.
  process.env['CI'] = 'false';
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, environment);
  for (const folder of created.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function emptyFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-nx-')));
  created.push(folder);
  return folder;
}

export function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** @param options lines of the recipe below `checkpoint` */
export function workspaceWithModel(options: string): string {
  const root = emptyFolder();
  writeFiles(root, { 'models/tiny/project.json': '{ "name": "tiny" }', 'models/tiny/recipe.yaml': `checkpoint: ./checkpoint\n${options}` });
  symlinkSync(CHECKPOINT, join(root, 'models/tiny/checkpoint'));
  return root;
}
