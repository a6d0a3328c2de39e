/** A temporary Nx workspace with one model, over the packages of this repository. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ROOT, measured, succeed } from '../processes.mjs';

const MODEL = 'models/model';
const NX = join(ROOT, 'node_modules/nx/dist/bin/nx.js');
export const BUNDLED = join(ROOT, 'models/llama32/checkpoint');

/** Calls `use` with the workspace and removes it afterwards. @param sections of recipe.yaml */
export async function withWorkspace(sections, use) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-bench-')));
  try {
    return await use(makeWorkspace(folder, sections));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeWorkspace(folder, sections) {
  const root = join(folder, 'workspace');
  const model = join(root, MODEL);
  mkdirSync(model, { recursive: true });
  const files = {
    'package.json': '{ "name": "bench", "private": true }\n',
    '.gitignore': 'node_modules\n.nx/\n.tundish/\nmodels/*/out/\nmodels/*/artifacts/\n',
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
    [`${MODEL}/project.json`]: '{ "name": "model", "targets": { "nothing": { "executor": "nx:noop" } } }\n',
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const env = { NX_CACHE_DIRECTORY: join(folder, 'nx/cache'), NX_WORKSPACE_DATA_DIRECTORY: join(folder, 'nx/data') };
  const workspace = {
    root,
    out: join(model, 'out'),
    cache: join(root, '.tundish/cache'),
    container: join(model, 'artifacts/container'),
    /** JSON is YAML. */
    recipe: (changed) => writeFileSync(join(model, 'recipe.yaml'), JSON.stringify({ toolchain: 'host', ...changed })),
    /** Locks and builds in one process, without Nx. */
    build: () => measured('whole-build.mjs', [root, MODEL]),
    /** Runs a target; seconds and output. */
    nx: (target, environment = {}) => succeed('node', [NX, 'run', `model:${target}`], { cwd: root, env: { ...env, ...environment } }),
    /** What tasks that Nx started say of themselves, of the newest run. */
    records() {
      const runs = join(root, '.tundish/runs');
      const newest = readdirSync(runs).sort().at(-1);
      return readdirSync(join(runs, newest)).filter((file) => file.endsWith('.json')).map((file) => JSON.parse(readFileSync(join(runs, newest, file), 'utf8')));
    },
    removeOutputs() {
      for (const path of [join(model, 'out'), join(model, 'artifacts')]) rmSync(path, { recursive: true, force: true });
    },
    /** Back to what a fresh checkout has. */
    forget() {
      workspace.removeOutputs();
      for (const path of [join(root, '.tundish'), join(folder, 'nx')]) rmSync(path, { recursive: true, force: true });
    },
    /** Bytes of container files that are no hard links to blobs. */
    copiedBytes: () => copiedBytes(join(model, 'artifacts/container'), join(root, '.tundish/cache/blobs')),
  };
  workspace.recipe(sections);
  return workspace;
}

function copiedBytes(container, blobs) {
  const inodes = new Set(filesBelow(blobs).map((path) => statSync(path).ino));
  const files = filesBelow(container).map((path) => statSync(path));
  if (files.length === 0) throw new Error(`${relative(ROOT, container)} is empty`);
  return files.filter(({ ino }) => !inodes.has(ino)).reduce((sum, { size }) => sum + size, 0);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
