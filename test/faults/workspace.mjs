/** Workspaces with one small model in temporary folders, and what must be true of them after every fault. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
export const MODEL = 'models/tiny';
const CHECKPOINT = join(REPOSITORY, 'models/llama32/checkpoint');
const NEEDED = /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map)\.json$|^model\.safetensors$|^calibration\.txt$|^chat_template\.jinja$/;

/** 4 blocks, 2 graphs of 2 parts: every kind of unit, in a few seconds. */
export const RECIPE = `checkpoint: ./checkpoint
graphs: { ar: [8], cl: [32, 64], parts: 2 }
quantize: { recipe: minmax, calibration: { windows: 1, windowLength: 32 } }
`;
export const FLOAT_RECIPE = 'checkpoint: ./checkpoint\ngraphs: { ar: [8], cl: [32], parts: 2 }\nquantize: none\n';

/** Made when the first workspace is: processes that only want names leave nothing behind. */
let parent;

/** Call it at the end of all. */
export function removeWorkspaces() {
  if (parent !== undefined) rmSync(parent, { recursive: true, force: true });
}

/** A folder that goes with all workspaces. */
export function newFolder() {
  parent ??= realpathSync(mkdtempSync(join(tmpdir(), 'tundish-faults-')));
  return mkdtempSync(join(parent, 'w'));
}

/** @param options `recipe`; `cache`: where the store is to be, when not in the workspace */
export function makeWorkspace({ recipe = RECIPE, cache } = {}) {
  const folder = newFolder();
  const workspace = describe(folder, cache);
  mkdirSync(workspace.model, { recursive: true });
  cpSync(CHECKPOINT, join(workspace.model, 'checkpoint'), { recursive: true, filter: (path) => path === CHECKPOINT || NEEDED.test(basename(path)) });
  writeFileSync(join(workspace.model, 'recipe.yaml'), recipe);
  return workspace;
}

/** Copies everything: a test may damage what it likes. */
export function copyWorkspace(source) {
  const folder = newFolder();
  // With times and hard links, which files of the container have with their blobs.
  execFileSync('cp', ['-a', source.root, folder]);
  return describe(folder);
}

function describe(folder, cache) {
  const root = join(folder, 'workspace');
  return { folder, root, model: join(root, MODEL), cache: cache ?? join(root, '.tundish/cache') };
}

/** Makes the workspace one that Nx can run in. */
export function addNx({ root }) {
  const files = {
    'package.json': '{ "name": "faults", "private": true }\n',
    '.gitignore': 'node_modules\n.nx/\n.tundish/\nmodels/*/out/\nmodels/*/artifacts/\n',
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
    [`${MODEL}/project.json`]: '{ "name": "tiny" }\n',
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
  symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'));
}

/** Every file below a folder, relative, sorted; none when there is no folder. */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory()).map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort();
}

/** sha256 of a file. */
export function digestOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** What a user has of a build: sha256 of each manifest and of each file of the container. */
export function results({ model }) {
  return new Map(['out', 'artifacts'].flatMap((part) => filesBelow(join(model, part)).map((file) => [`${part}/${file}`, digestOf(join(model, part, file))])));
}

/** Everything in which results differ from those of an uninterrupted build, as lines. */
export function differences(found, expected) {
  return [...new Set([...found.keys(), ...expected.keys()])].sort().filter((file) => found.get(file) !== expected.get(file)).map((file) => `${file} ${found.has(file) ? (expected.has(file) ? 'differs' : 'is left over') : 'is missing'}`);
}

/** Manifests and containers that are there and are not those of an uninterrupted build: partial results that look finished. */
export function partialResults(workspace, expected) {
  const found = results(workspace);
  const wrong = [...found].filter(([file, digest]) => !isIncomplete(file) && expected.get(file) !== digest).map(([file]) => `${file} is no result of a whole build`);
  const container = [...found.keys()].filter((file) => file.startsWith('artifacts/container/'));
  const whole = [...expected.keys()].filter((file) => file.startsWith('artifacts/container/'));
  if (container.length > 0 && container.length < whole.length) wrong.push(`the container has ${container.length} of ${whole.length} files`);
  return [...wrong, ...damagedBlobs(workspace), ...partialEntries(workspace)];
}

/** Names under which nothing looks for a result. */
function isIncomplete(file) {
  return /(^|\/)\.[^/]*$|^artifacts\/container\.[^/]+\//.test(file);
}

function damagedBlobs({ cache }) {
  const folder = join(cache, 'blobs');
  return filesBelow(folder).filter((file) => digestOf(join(folder, file)) !== basename(file)).map((file) => `blob ${file} holds other bytes`);
}

/** Cache entries without sidecar, manifest or an output. */
function partialEntries({ cache }) {
  return entriesOf(cache).filter((entry) => {
    const manifest = join(cache, entry, 'stage.json');
    if (!existsSync(manifest) || !existsSync(join(cache, entry, 'builder_cache_info.json'))) return true;
    return JSON.parse(readFileSync(manifest, 'utf8')).outputs.some(({ name, size }) => statSync(join(cache, entry, name), { throwIfNoEntry: false })?.size !== size);
  }).map((entry) => `cache entry ${entry} is not whole`);
}

/** Entries of the action cache, `MODEL/OPERATION_KEY`. */
export function entriesOf(cache) {
  const model = basename(MODEL);
  return existsSync(join(cache, model)) ? readdirSync(join(cache, model)).map((entry) => `${model}/${entry}`) : [];
}

/** What unfinished work leaves: files in tmp/, partial files beside their places, locks. Nothing may be there after a finished build. */
export function leftovers({ root, cache }) {
  const inWorkspace = filesBelow(join(root, MODEL)).filter((file) => isIncomplete(file) || /\.(lock|part|tmp|new)$/.test(file));
  const inCache = filesBelow(cache).filter((file) => !file.startsWith('blobs/') && (/(^|\/)\.[^/]*$|\.(lock|part|tmp|new)$/.test(file) || file.startsWith('tmp/')));
  const scratch = existsSync(join(cache, 'tmp')) ? readdirSync(join(cache, 'tmp')).map((name) => `tmp/${name}`) : [];
  return [...new Set([...inWorkspace, ...inCache, ...scratch])];
}

/** Path of the blob behind an output of a unit. @param unit folder below out/ */
export function blobOf(workspace, unit, output) {
  const { outputs } = JSON.parse(readFileSync(join(workspace.model, 'out', unit, 'stage.json'), 'utf8'));
  const found = outputs.find(({ name }) => (typeof output === 'string' ? name === output : output.test(name)));
  if (found === undefined) throw new Error(`${unit} has no output ${output}: ${outputs.map(({ name }) => name).join(', ')}`);
  return join(workspace.cache, 'blobs/sha256', found.sha256.slice(0, 2), found.sha256);
}

