/** Results of one machine on another, through a remote cache in a folder: keys first, files only when something reads them. */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Reporter, recordingReporter, silentReporter } from '@tundish/diagnostics';
import { RemoteSession, openRemoteCache } from '@tundish/remote';
import { type RemoteResults, type StageManifest, sha256 } from '@tundish/store';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Pipeline, type UnitRun, inputsOf, unitName, unitsOf } from '../src/index.js';
import { buildOutlook } from '../src/outlook-entry.js';
import { FLOAT_RECIPE, QUANTIZED_RECIPE, Workspace, filesBelow, ran, temporaryFolder } from './workspace.js';

const PACKAGE = { stage: 'package', subject: null };

async function session(folder: string, reporter: Reporter = silentReporter): Promise<RemoteResults> {
  return new RemoteSession({ cache: await openRemoteCache(pathToFileURL(folder).href), mode: 'read-write', reporter, signal: new AbortController().signal });
}

/** Another machine: the committed files of a model, without its checkpoint unless that is asked for. */
function clone(of: Workspace, { checkpoint }: { readonly checkpoint: boolean }): Workspace {
  const workspace = new Workspace(temporaryFolder(), '');
  mkdirSync(workspace.path('.'), { recursive: true });
  for (const file of ['recipe.yaml', 'recipe.lock.json', ...(checkpoint ? ['checkpoint', 'calibration.txt'] : [])]) cpSync(of.path(file), workspace.path(file), { recursive: true });
  return new Workspace(workspace.root, join(workspace.root, '.tundish', 'cache'));
}

async function runAll(pipeline: Pipeline): Promise<Map<string, UnitRun>> {
  const runs = new Map<string, UnitRun>();
  for (const unit of unitsOf(pipeline.lock)) runs.set(unitName(unit), await pipeline.run(unit));
  return runs;
}

function digestOf(of: Workspace, manifest: string, name: string): string {
  const output = outputsIn(of.path(`out/${manifest}/stage.json`)).find((file) => file.name === name);
  if (output === undefined) throw new Error(`${manifest} has no ${name}`);
  return output.sha256;
}

/** sha256 of the weights of the first part. */
function compiledWeights(): string {
  const [weights] = outputsIn(workspace.path('out/parts/part1of2/compile/stage.json')).filter(({ mediaType }) => mediaType === 'application/octet-stream');
  return weights?.sha256 as string;
}

function outputsIn(manifest: string): StageManifest['outputs'] {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as StageManifest).outputs;
}

function blobs({ cacheRoot }: Workspace): string[] {
  return filesBelow(join(cacheRoot, 'blobs', 'sha256')).map((path) => path.slice(3)).sort();
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
}

let workspace: Workspace;
let pristine: string;
let container: string[];
beforeAll(async () => {
  workspace = Workspace.make(FLOAT_RECIPE);
  await workspace.lock();
  pristine = temporaryFolder();
  const pipeline = await workspace.open({ remote: await session(pristine) });
  expect(ran(await runAll(pipeline))).toHaveLength(unitsOf(pipeline.lock).length);
  await pipeline.close();
  container = (await pipeline.input(PACKAGE)).manifest.outputs.map(({ sha256 }) => sha256);
});

/** A copy of what the first machine shared, for tests that damage it. */
function shared(): string {
  const folder = temporaryFolder();
  cpSync(pristine, folder, { recursive: true });
  return folder;
}

describe('a machine that has never seen the checkpoint', () => {
  test('finds every result, has no file of any, and fetches those of the container alone', async () => {
    const idle = clone(workspace, { checkpoint: false });
    const remote = await session(pristine);
    const pipeline = await idle.open({ remote });
    const runs = await runAll(pipeline);
    expect([...runs.values()].map(({ status, source }) => [status, source])).toEqual([...runs].map(() => ['cached', 'remote']));
    expect(blobs(idle)).toEqual([]);
    expect(idle.manifests()).toEqual(workspace.manifests());
    const { manifest } = await pipeline.input(PACKAGE);
    await pipeline.close();
    expect(blobs(idle)).toEqual([...new Set(container)].sort());
    expect(remote.traffic.up).toBe(0);
    expect(remote.traffic.down).toBeGreaterThan(manifest.outputs.reduce((sum, { size }) => sum + size, 0));
  });

  test('asks for nothing a second time, and needs no remote cache for what it has', async () => {
    const idle = clone(workspace, { checkpoint: false });
    const first = await idle.open({ remote: await session(pristine) });
    await runAll(first);
    await first.input(PACKAGE);
    const remote = await session(temporaryFolder());
    const again = await runAll(await idle.open({ remote }));
    expect([...again.values()].map(({ status, source }) => [status, source])).toEqual([...again].map(() => ['cached', 'local']));
    expect(remote.traffic).toEqual({ down: 0, up: 0 });
    const alone = await (await idle.open({ inputsInPlace: true })).run(PACKAGE);
    expect(alone.status).toBe('cached');
  });

  test('is told before a build what the remote cache has, with nothing written', async () => {
    const idle = clone(workspace, { checkpoint: false });
    const pipeline = await idle.open({ remote: await session(pristine) });
    const units = await buildOutlook(pipeline);
    expect(units.map(({ state, source }) => [state, source])).toEqual(units.map(() => ['cached', 'remote']));
    expect(filesBelow(idle.cacheRoot)).toEqual([]);
  });
});

describe('a stage that really runs', () => {
  test('gets the files that it reads, and none that it hands on', async () => {
    const remote = shared();
    const other = clone(workspace, { checkpoint: false });
    const pipeline = await other.open({ remote: await session(remote) });
    const inputs = new Map<string, StageManifest>();
    for (const unit of inputsOf(pipeline.lock, PACKAGE)) inputs.set(unitName(unit), (await pipeline.run(unit)).manifest);
    const { key } = await pipeline.explain(PACKAGE, inputs);
    rmSync(join(remote, 'ac', key.key));
    cpSync(workspace.path('checkpoint'), other.path('checkpoint'), { recursive: true });
    expect((await pipeline.run(PACKAGE)).status).toBe('run');
    expect(blobs(other)).not.toContain(compiledWeights());
    await pipeline.close();
    expect(existsSync(join(remote, 'ac', key.key))).toBe(true);
    await pipeline.input(PACKAGE);
    for (const digest of container) expect(blobs(other)).toContain(digest);
  });
});

describe('a file of the container that the remote cache', () => {
  test.each([
    ['has lost', (path: string) => rmSync(path), 0],
    ['holds with a flipped bit', flip, 1],
    ['holds cut', (path: string) => { chmodSync(path, 0o644); writeFileSync(path, readFileSync(path).subarray(0, 100)); }, 1],
  ])('%s is made again with the same bytes, and no other is ever here', async (_what, damage, warnings) => {
    const remote = shared();
    damage(join(remote, 'cas', compiledWeights()));
    const other = clone(workspace, { checkpoint: true });
    const reporter = recordingReporter();
    const pipeline = await other.open({ remote: await session(remote, reporter), reporter });
    expect(ran(await runAll(pipeline))).toEqual([]);
    await pipeline.input(PACKAGE);
    expect(pipeline.rebuilt).toEqual(['compile/part1of2']);
    expect(reporter.warnings).toHaveLength(warnings);
    for (const digest of container) expect(blobs(other)).toContain(digest);
    for (const digest of blobs(other)) expect(sha256(readFileSync(join(other.cacheRoot, 'blobs/sha256', digest.slice(0, 2), digest)))).toBe(digest);
  });
});

test('an entry that was tampered with, or belongs to another key, is a miss with a warning', async () => {
  const remote = shared();
  const entries = readdirSync(join(remote, 'ac')).sort();
  const [one, two] = entries as [string, string];
  renameSync(join(remote, 'ac', one), join(remote, 'ac', `${one}.moved`));
  cpSync(join(remote, 'ac', two), join(remote, 'ac', one));
  writeFileSync(join(remote, 'ac', two), readFileSync(join(remote, 'ac', two), 'utf8').replace(/(.*\\"size\\": )\d+/, (_, before: string) => `${before}7`));
  const other = clone(workspace, { checkpoint: true });
  const reporter = recordingReporter();
  const pipeline = await other.open({ remote: await session(remote, reporter), reporter });
  expect(ran(await runAll(pipeline))).toHaveLength(2);
  await pipeline.close();
  expect(reporter.warnings.filter((text) => text.includes('counts as absent'))).toHaveLength(2);
  expect(other.manifests()).toEqual(workspace.manifests());
});

describe('blocks of quantize', () => {
  let quantized: Workspace;
  let whole: string;
  beforeAll(async () => {
    quantized = Workspace.make(QUANTIZED_RECIPE);
    await quantized.lock();
    whole = temporaryFolder();
    const pipeline = await quantized.open({ remote: await session(whole) });
    await pipeline.run({ stage: 'quantize', subject: null });
    await pipeline.close();
  });

  /** As after a change that no block reads. */
  function withoutStage(): string {
    const folder = temporaryFolder();
    cpSync(whole, folder, { recursive: true });
    for (const key of readdirSync(join(folder, 'ac'))) if (readFileSync(join(folder, 'ac', key), 'utf8').includes('"operation":"quantize",')) rmSync(join(folder, 'ac', key));
    return folder;
  }

  test('are found one by one, without the activations that nobody reads', async () => {
    const other = clone(quantized, { checkpoint: true });
    const pipeline = await other.open({ remote: await session(withoutStage()) });
    const { status, pieces, manifest } = await pipeline.run({ stage: 'quantize', subject: null });
    expect([status, pieces]).toEqual(['run', { cached: 4, total: 4 }]);
    expect(manifest).toEqual((await (await quantized.open()).run({ stage: 'quantize', subject: null })).manifest);
    const entries = readdirSync(join(quantized.cacheRoot, 'tiny')).filter((name) => name.startsWith('quantize-block_'));
    const activations = entries.flatMap((name) => outputsIn(join(quantized.cacheRoot, 'tiny', name, 'stage.json'))).filter(({ name }) => name.endsWith('.activations'));
    expect(activations.length).toBeGreaterThan(0);
    for (const { sha256: digest } of activations) expect(blobs(other)).not.toContain(digest);
  });

  test('are made here when a file of one is gone', async () => {
    const remote = withoutStage();
    rmSync(join(remote, 'cas', digestOf(quantized, 'quantize', 'block-1.weights')));
    const other = clone(quantized, { checkpoint: true });
    const pipeline = await other.open({ remote: await session(remote) });
    const { status, manifest } = await pipeline.run({ stage: 'quantize', subject: null });
    expect(status).toBe('run');
    expect(manifest).toEqual((await (await quantized.open()).run({ stage: 'quantize', subject: null })).manifest);
  });
});
