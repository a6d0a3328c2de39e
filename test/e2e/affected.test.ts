/** What `nx affected` selects after which change: the real nx, three models in a git repository, edits with and without a refreshed lock. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace, REPOSITORY } from './nx-workspace.js';

const QUANTIZE = 'quantize: { recipe: minmax, embedding: { bits: 16 }, calibration: { windows: 1, windowLength: 64';
const GRAPHS = 'graphs: { ar: [1], cl: [128], parts: 1 }\n';
const RECIPES = {
  // Its own checkpoint and the calibration text in it.
  alone: `checkpoint: ./checkpoint\n${GRAPHS}${QUANTIZE} } }\n`,
  // A checkpoint that two models share, texts of their own and a stage, all outside of the folders of the models.
  left: `checkpoint: ../../checkpoints/shared\n${GRAPHS}${QUANTIZE}, text: ../../texts/left.txt } }\n`,
  right: `checkpoint: ../../checkpoints/shared\n${GRAPHS}${QUANTIZE}, text: ../../texts/right.txt } }\nstages: [{ use: ../../stages/prune.ts, after: optimize, options: { ratio: 0.25 } }]\n`,
};
const EVERYTHING = ['alone', 'left', 'right'];

let workspace: NxWorkspace;
beforeAll(async () => {
  workspace = new NxWorkspace({
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
    'package-lock.json': '{ "name": "e2e", "lockfileVersion": 3, "packages": { "": { "name": "e2e" } } }\n',
    'README.md': 'models\n',
    'models/right/README.md': 'notes\n',
    '.nxignore': 'models/*/README.md\n',
    'packages/other/project.json': '{ "name": "other", "targets": { "compile": { "executor": "nx:run-commands", "options": { "command": "echo hello" } } } }\n',
    'packages/other/index.ts': 'export const one = 1;\n',
    ...Object.fromEntries(Object.entries(RECIPES).flatMap(([name, recipe]) => [[`models/${name}/recipe.yaml`, recipe], [`models/${name}/project.json`, `{ "name": "${name}" }\n`]])),
  });
  for (const folder of ['models/alone/checkpoint', 'checkpoints/shared']) cpSync(CHECKPOINT, join(workspace.root, folder), { recursive: true });
  cpSync(join(REPOSITORY, 'test/fixtures/stages'), join(workspace.root, 'stages'), { recursive: true });
  const text = readFileSync(join(CHECKPOINT, 'calibration.txt'), 'utf8');
  workspace.write({ 'texts/left.txt': text, 'texts/right.txt': text.slice(2000) });
  await workspace.install();
});
afterAll(() => workspace.remove());

type Edits = Readonly<Record<string, (text: string) => string>>;

const appended = (line: string) => (text: string): string => `${text}${line}\n`;
const replaced = (from: string, to: string) => (text: string): string => {
  if (!text.includes(from)) throw new Error(`the fixture no longer contains ${from}`);
  return text.replace(from, to);
};

/** The models that are selected while the files are changed. */
async function selected(edits: Edits, { refreshed = false, ci = false } = {}): Promise<string[]> {
  const locks = EVERYTHING.map((name) => `models/${name}/recipe.lock.json`);
  const originals = Object.fromEntries([...Object.keys(edits), ...locks].map((path) => [path, workspace.read(path)]));
  const environment = { CI: String(ci) };
  try {
    for (const [path, edit] of Object.entries(edits)) workspace.write({ [path]: edit(workspace.read(path)) });
    if (refreshed) await workspace.nx(['generate', '@tundish/nx:lock']);
    const { code, output } = await workspace.nx(['show', 'projects', '--affected', '--base=HEAD', '--with-target=compile', '--json'], environment);
    if (code !== 0) throw new Error(output);
    return (JSON.parse(output.slice(output.indexOf('['))) as string[]).filter((name) => !name.includes('/')).sort();
  } finally {
    workspace.write(originals);
  }
}

const LEFT = 'models/left/recipe.yaml';
const OPTION: Edits = { [LEFT]: replaced('bits: 16', 'bits: 8') };
const PIN: Edits = { 'models/right/recipe.lock.json': (text) => text.replace(/"sha256": "[0-9a-f]/, '"sha256": "x') };

describe('nx affected selects', () => {
  it.each<[string, Edits, readonly string[], { refreshed?: boolean; ci?: boolean }?]>([
    ['the model of a recipe whose option changed, before its lock is refreshed', OPTION, ['left']],
    ['the model of a recipe whose option changed, when its lock is refreshed', OPTION, ['left'], { refreshed: true }],
    ['the model of a recipe whose lock was forgotten, in CI, where that is an error', OPTION, ['left'], { ci: true }],
    ['nothing after a comment in a recipe', { [LEFT]: appended('# why') }, []],
    ['nothing after a comment in a recipe, in CI', { [LEFT]: appended('# why') }, [], { ci: true }],
    ['the model of a recipe with a fault', { [LEFT]: replaced('graphs:', 'grahps:') }, ['left']],
    ['the model of a calibration text outside of its folder', { 'texts/left.txt': appended('more') }, ['left']],
    ['the model of a calibration text in its checkpoint', { 'models/alone/checkpoint/calibration.txt': appended('more') }, ['alone']],
    ['every model of a checkpoint', { 'checkpoints/shared/config.json': replaced('{', '{ ') }, ['left', 'right']],
    ['the model of a stage of its own, for a module that this imports', { 'stages/threshold.ts': appended('// more') }, ['right']],
    ['the model of a lock that pins other digests', PIN, ['right']],
    ['nothing after an edit of the README, or of the package.json', { 'README.md': appended('more'), 'package.json': replaced('"private": true', '"private": true, "devDependencies": { "left-pad": "1.3.0" }') }, []],
    ['no model after an edit of the source of another package', { 'packages/other/index.ts': appended('// more') }, ['other']],
    ['every project after an install of a package', { 'package-lock.json': replaced('"packages": {', '"packages": { "node_modules/left-pad": { "version": "1.3.0" },') }, ['alone', 'left', 'other', 'right']],
    ['every project after an edit of nx.json', { 'nx.json': appended('') }, ['alone', 'left', 'other', 'right']],
    ['the model of any other file in its folder that .nxignore does not name', { 'models/alone/checkpoint/eval.txt': appended('more'), 'models/right/README.md': appended('more') }, ['alone']],
  ])('%s', async (_name, edits, expected, options) => {
    expect(await selected(edits, options)).toEqual(expected);
  });
});

describe('nx affected -t compile', () => {
  it('builds the model that a commit changed, and no other', async () => {
    const before = workspace.runs();
    workspace.write({ [LEFT]: replaced('bits: 16', 'bits: 8')(workspace.read(LEFT)) });
    expect((await workspace.nx(['generate', '@tundish/nx:lock', 'left'])).code).toBe(0);
    await workspace.commit();
    const { code, output } = await workspace.nx(['affected', '-t', 'compile', '--base=HEAD~1', '--head=HEAD'], { CI: 'true' });
    expect(output).toContain('✔  nx run left:package');
    expect(output).not.toMatch(/nx run (alone|right|other)/);
    expect(code).toBe(0);
    expect(workspace.ran(before)).toMatchObject({ load: 'run', package: 'run' });
    expect(EVERYTHING.filter((name) => existsSync(join(workspace.root, `models/${name}/out`)))).toEqual(['left']);
  });
});
