/** One byte flipped, or a file cut, in every kind of file that a build leaves: made again with equal digests, or one clear error. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openStore } from '@tundish/store';
import { build, buildOrThrow, ranIn } from './build.mjs';
import { MODEL, REPOSITORY, blobOf, copyWorkspace, differences, entriesOf, filesBelow, leftovers, makeWorkspace, partialResults, results } from './workspace.mjs';

/** Each finds the file to damage in a built workspace. */
const FILES = {
  'blob of a graph (load)': (w) => blobOf(w, 'load', 'graph.onnx'),
  'blob of a graph (a cell)': (w) => blobOf(w, 'cells/ar8-cl32-1of2/transform', 'graph.onnx'),
  'blob of weights (a block of quantize)': (w) => blobOf(w, 'quantize', 'block-1.weights'),
  'blob of encodings': (w) => blobOf(w, 'quantize', 'encodings-2.0.0.json'),
  'blob of activation encodings': (w) => blobOf(w, 'quantize', 'activations.json'),
  'blob of a compiled part': (w) => blobOf(w, 'parts/part1of2/compile', /\.data$|\.bin$|\.weights$/),
  'file of the container': (w) => join(w.model, 'artifacts/container', filesBelow(join(w.model, 'artifacts/container')).find((file) => file.startsWith('part_2'))),
  'manifest.json of the container': (w) => join(w.model, 'artifacts/container/manifest.json'),
  'stage.json in out/': (w) => join(w.model, 'out/quantize/stage.json'),
  'stage.json of a cache entry': (w) => join(entryOf(w, 'quantize_'), 'stage.json'),
  'sidecar of a cache entry': (w) => join(entryOf(w, 'compile_'), 'builder_cache_info.json'),
  'sidecar of a block of quantize': (w) => join(entryOf(w, 'quantize-block_'), 'builder_cache_info.json'),
  'recipe.lock.json': (w) => join(w.model, 'recipe.lock.json'),
};
/** They know files by their inodes, so they are damaged where they were written. */
const MEMOS = { 'memo of file digests': 'file-digests.json', 'memo of code digests': 'code-digests.json', 'memo of recipes': 'recipes.json' };

/** The result must be that of an uninterrupted build, or there is an error that says what to do. */
export function damageCases(whole, random) {
  const flipped = Object.entries(FILES).map(([what, find]) => [`byte flipped: ${what}`, () => judge(whole, (workspace) => flip(find(workspace), random))]);
  return Object.fromEntries([
    ...flipped,
    ...Object.entries(MEMOS).map(([what, file]) => [`byte flipped: ${what}`, () => rebuilt(whole, whole.workspace, () => flip(join(whole.workspace.cache, file), random))]),
    ['byte flipped: live activations of a block, quantize to be run again', () => judge(whole, (workspace) => {
      rmSync(entryOf(workspace, 'quantize_'), { recursive: true });
      for (const entry of entriesOf(workspace.cache).filter((name) => name.includes('/quantize-block_'))) for (const file of activationsIn(workspace, entry)) flip(file, random);
    }, 'quantize')],
    ['byte flipped: stage.json in out/, read by the next task of Nx', () => inPlace(whole, random)],
    ['bit rotten under its old time: blob of weights, found by its digest', () => rotten(whole, random)],
    ['byte flipped: checkpoint, under its old time', () => checkpointFlipped(whole, random)],
    ['byte flipped: imported GGUF', () => importFlipped(random)],
    ['cut in half: blob of weights', () => judge(whole, (workspace) => cut(FILES['blob of weights (a block of quantize)'](workspace)), 'quantize')],
    ['cut in half: blob of a graph', () => judge(whole, (workspace) => cut(FILES['blob of a graph (load)'](workspace)), 'load')],
    ['cut to nothing: stage.json of a cache entry', () => judge(whole, (workspace) => truncateSync(FILES['stage.json of a cache entry'](workspace), 0), 'quantize')],
    ['gone: every blob', () => judge(whole, (workspace) => rmSync(join(workspace.cache, 'blobs'), { recursive: true }), 'load')],
  ]);
}

/** Damages a copy and builds on it. @param mustRun a unit that has to be made again */
function judge(whole, damage, mustRun) {
  return rebuilt(whole, copyWorkspace(whole.workspace), damage, mustRun);
}

async function rebuilt(whole, workspace, damage, mustRun) {
  damage(workspace);
  const attempt = await build(workspace);
  if (attempt.error !== undefined) return clearError(attempt.error);
  const faults = [...differences(results(workspace), whole.results), ...partialResults(workspace, whole.results), ...leftovers(workspace)];
  const ran = ranIn(attempt);
  if (mustRun !== undefined && !ran.includes(mustRun)) faults.push(`${mustRun} was not run again`);
  return { faults, found: ran.length === 0 ? 'nothing run again, equal digests' : `${ran.length} of ${whole.units} units run again, equal digests` };
}

function clearError({ code, fix, message }) {
  const isClear = typeof code === 'string' && /^[A-Z]+_[A-Z_]+$/.test(code) && typeof fix === 'string';
  return { faults: isClear ? [] : [`no clear error: ${message}`], found: `refused with ${code}: ${fix}` };
}

/** A later task of Nx reads the stage.json of an earlier one as it lies; a wrong word in it must not reach a result. */
async function inPlace(whole, random) {
  const { adapters } = await import('@tundish/cli');
  const { silentReporter } = await import('@tundish/diagnostics');
  const { runStage } = await import('@tundish/stages');
  const outcomes = new Map();
  const faults = [];
  const workspace = copyWorkspace(whole.workspace);
  const path = FILES['stage.json in out/'](workspace);
  const original = readFileSync(path);
  for (let i = 0; i < 24; i++) {
    writeFileSync(path, original);
    flip(path, random);
    const request = { workspaceRoot: workspace.root, modelRoot: MODEL, cacheRoot: workspace.cache, hubCache: join(workspace.root, 'hub'), adapters, reporter: silentReporter, signal: new AbortController().signal, threads: 1, inputsInPlace: true, stage: 'package' };
    const error = await runStage(request).then(() => undefined, (thrown) => thrown);
    const outcome = error === undefined ? 'equal digests' : `refused with ${error.code}`;
    if (error !== undefined) faults.push(...clearError(error).faults);
    else faults.push(...differences(new Map([...results(workspace)].filter(([file]) => file !== 'out/quantize/stage.json')), new Map([...whole.results].filter(([file]) => file !== 'out/quantize/stage.json'))).map((line) => `${changedWord(original, readFileSync(path))}: ${line}`));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return { faults, found: [...outcomes].map(([outcome, times]) => `${times} x ${outcome}`).join(', ') };
}

function changedWord(before, after) {
  const at = before.findIndex((byte, i) => byte !== after[i]);
  return `...${after.subarray(Math.max(0, at - 20), at + 20).toString('latin1').replace(/\s+/g, ' ')}...`;
}

/** Nothing that a look at the file shows has changed, so it takes a reading: that must not pass. */
async function rotten(whole, random) {
  const workspace = copyWorkspace(whole.workspace);
  const path = FILES['blob of weights (a block of quantize)'](workspace);
  const times = execFileSync('stat', ['-c', '%y', path], { encoding: 'utf8' }).trim();
  flip(path, random);
  execFileSync('touch', ['-d', times, path]);
  const { size } = statSync(path);
  const error = await openStore(workspace.cache).verify({ sha256: basename(path), size }).then(() => undefined, (thrown) => thrown);
  return error === undefined ? { faults: ['verify passes a blob with other bytes'], found: 'not found' } : clearError(error);
}

/** The times are put back, which leaves the ctime: the pinned digest must not be believed. */
async function checkpointFlipped(whole, random) {
  const workspace = makeWorkspace();
  cpSync(join(whole.workspace.model, 'recipe.lock.json'), join(workspace.model, 'recipe.lock.json'));
  const { mtimeMs, atimeMs } = statSync(join(workspace.model, 'checkpoint/model.safetensors'));
  await buildOrThrow(workspace);
  rmSync(join(workspace.cache, 'tiny'), { recursive: true });
  rmSync(join(workspace.cache, 'blobs'), { recursive: true });
  const file = join(workspace.model, 'checkpoint/model.safetensors');
  flip(file, random);
  utimesSync(file, atimeMs / 1000, mtimeMs / 1000);
  const { error } = await build(workspace, { flags: ['--pinned'] });
  if (error === undefined) return { faults: ['a checkpoint that is not the pinned one was built'], found: 'served' };
  return clearError(error);
}

async function importFlipped(random) {
  const workspace = makeWorkspace({ recipe: 'checkpoint: ./tiny.gguf\ngraphs: { ar: [8], cl: [32], parts: 1 }\nquantize: none\n' });
  cpSync(join(REPOSITORY, 'test/fixtures/gguf/tiny-llama.gguf'), join(workspace.model, 'tiny.gguf'));
  const first = await build(workspace);
  if (first.error !== undefined) return { faults: [first.error.message], found: 'not built' };
  const expected = results(workspace);
  const imports = join(workspace.cache, 'imports');
  const outcomes = [];
  const faults = [];
  for (const file of filesBelow(imports).filter((name) => /model.*\.safetensors$|import\.json$|config\.json$/.test(name))) {
    const changed = copyWorkspace(workspace);
    flip(join(changed.cache, 'imports', file), random);
    const { error } = await build(changed);
    if (error !== undefined) faults.push(...clearError(error).faults);
    else faults.push(...differences(results(changed), expected).map((line) => `${file.split('/')[1]}: ${line}`));
    outcomes.push(error === undefined ? 'equal digests' : error.code);
  }
  return { faults, found: [...new Set(outcomes)].join(', ') };
}

function entryOf({ cache }, operation) {
  const entry = entriesOf(cache).find((name) => name.includes(`/${operation}`));
  if (entry === undefined) throw new Error(`there is no entry of ${operation}`);
  return join(cache, entry);
}

/** The blobs behind the activations of an entry: the files of an entry are links to them. */
function activationsIn({ cache }, entry) {
  return readdirSync(join(cache, entry)).filter((name) => name.endsWith('.activations')).map((name) => {
    const { outputs } = JSON.parse(readFileSync(join(cache, entry, 'stage.json'), 'utf8'));
    const { sha256 } = outputs.find((output) => output.name === name);
    return join(cache, 'blobs/sha256', sha256.slice(0, 2), sha256);
  });
}

/** Changes one bit of one byte; the rest of the file, its size and its links stay. */
function flip(path, random) {
  const bytes = readFileSync(path);
  const at = Math.floor(random() * bytes.length);
  bytes[at] ^= 1 << Math.floor(random() * 8);
  const { mode } = statSync(path);
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
  chmodSync(path, mode);
}

function cut(path) {
  const { size, mode } = statSync(path);
  chmodSync(path, 0o644);
  truncateSync(path, size >> 1);
  chmodSync(path, mode);
}
