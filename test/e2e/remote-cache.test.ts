/** Machines that share results: clones of one repository with stores of their own, the real nx, a remote cache in a folder or behind HTTP. */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, createReadStream, existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKPOINT, NxWorkspace } from './nx-workspace.js';

const FILES = {
  'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
  'models/tiny/project.json': '{ "name": "tiny" }\n',
  'models/tiny/recipe.yaml': `checkpoint: ./checkpoint
graphs: { ar: [1], cl: [128], parts: 2 }
quantize: { recipe: minmax, embedding: { bits: 16 }, calibration: { windows: 1, windowLength: 64 } }
`,
  // The checkpoint is not committed: a clone has the lock alone.
  '.gitignore': 'node_modules\n.nx/\n.tundish/\nmodels/*/out/\nmodels/*/artifacts/\nmodels/*/checkpoint/\n',
};
const LOCK = 'models/tiny/recipe.lock.json';
const CONTAINER = 'models/tiny/artifacts/container';

const workspaces: NxWorkspace[] = [];
const folders: string[] = [];
let first: NxWorkspace;
let shared: string;

function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-remote-')));
  folders.push(folder);
  return folder;
}

async function clone({ checkpoint }: { readonly checkpoint: boolean }): Promise<NxWorkspace> {
  const workspace = new NxWorkspace({ ...FILES, [LOCK]: first.read(LOCK) });
  workspaces.push(workspace);
  workspace.linkPackages();
  if (checkpoint) cpSync(CHECKPOINT, join(workspace.root, 'models/tiny/checkpoint'), { recursive: true });
  await workspace.commit();
  return workspace;
}

interface Entry {
  readonly outputs: readonly { readonly name: string; readonly sha256: string; readonly size: number }[];
}

function outputsOf(unit: string): Entry['outputs'] {
  return (JSON.parse(first.read(`models/tiny/out/${unit}/stage.json`)) as Entry).outputs;
}

/** sha256 of the blobs that a clone has. */
function blobsOf({ root }: NxWorkspace): string[] {
  const folder = join(root, '.tundish/cache/blobs/sha256');
  return existsSync(folder) ? readdirSync(folder).flatMap((prefix) => readdirSync(join(folder, prefix))).sort() : [];
}

function containerOf({ root }: NxWorkspace): string {
  return readFileSync(join(root, CONTAINER, 'manifest.json'), 'utf8');
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

beforeAll(async () => {
  first = new NxWorkspace(FILES);
  workspaces.push(first);
  cpSync(CHECKPOINT, join(first.root, 'models/tiny/checkpoint'), { recursive: true });
  await first.install();
  shared = temporaryFolder();
  const { code, output } = await first.nx(['run', 'tiny:compile'], { TUNDISH_REMOTE_CACHE: pathToFileURL(shared).href });
  expect(output).toMatch(/total +11 run, 0 cached/);
  expect(output).toMatch(/remote cache: 0 results found, 0 B down, [\d.]+ MB up/);
  expect(code).toBe(0);
});
afterAll(async () => {
  for (const workspace of workspaces) await workspace.remove();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Serves a folder of `cas` and `ac`, and counts what is asked for. */
async function serve(folder: string): Promise<{ readonly url: string; readonly asked: string[]; readonly server: Server }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const path = join(folder, request.url ?? '');
    if (request.method === 'PUT') return void response.writeHead(403).end();
    if (!existsSync(path)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': statSync(path).size });
    if (request.method === 'HEAD') response.end();
    else createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, server };
}

describe('a clone that has never seen the checkpoint', () => {
  it('is told what the remote cache has, and gets the finished container through manifests and the files of the container alone', async () => {
    const idle = await clone({ checkpoint: false });
    const { url, asked, server } = await serve(shared);
    const environment = { TUNDISH_REMOTE_CACHE: url, TUNDISH_REMOTE_CACHE_MODE: 'read' };
    try {
      const plan = await idle.tundish(['plan', 'models/tiny', '--json'], undefined, environment);
      expect((JSON.parse(plan.output) as { units: { state: string; source: string }[] }).units.map(({ state, source }) => `${state} ${source}`)).toEqual(Array(11).fill('cached remote'));
      expect(existsSync(join(idle.root, '.tundish/cache/tiny'))).toBe(false);
      asked.length = 0;
      const { code, output } = await idle.nx(['run', 'tiny:compile'], { ...environment, CI: 'true' });
      expect(output).toMatch(/total +0 run, 11 cached/);
      expect(output.match(/cached \(remote\)/g)?.length).toBeGreaterThanOrEqual(11);
      expect(output).toMatch(/remote cache: 11 results found, [\d.]+ MB down, 0 B up/);
      expect(code).toBe(0);
      const files = [...new Set(outputsOf('package').map(({ sha256 }) => sha256))].sort();
      expect(asked.filter((line) => line.includes('/cas/')).sort()).toEqual(files.map((sha256) => `GET /cas/${sha256}`));
      expect(asked.filter((line) => line.includes('/ac/'))).toHaveLength(11);
      expect(blobsOf(idle)).toEqual(files);
      expect(containerOf(idle)).toBe(containerOf(first));
      expect(idle.read(LOCK)).toBe(first.read(LOCK));
    } finally {
      server.close();
    }
  });

  it('is refused by the lock as ever when the recipe says something else', async () => {
    const idle = await clone({ checkpoint: false });
    idle.write({ 'models/tiny/recipe.yaml': FILES['models/tiny/recipe.yaml'].replace('cl: [128]', 'cl: [256]') });
    const { code, output } = await idle.nx(['run', 'tiny:compile'], { TUNDISH_REMOTE_CACHE: pathToFileURL(shared).href, CI: 'true' });
    expect(code).not.toBe(0);
    expect(output).toContain('NX_LOCK_STALE');
    expect(output).toContain('cells.ar1-cl256-1of2.cl: absent in the lock, 256 now');
  });

  it('builds without Nx in the same way, and says what is missing when something must run', async () => {
    const idle = await clone({ checkpoint: false });
    const environment = { TUNDISH_REMOTE_CACHE: pathToFileURL(shared).href, TUNDISH_REMOTE_CACHE_MODE: 'read' };
    const { code, output } = await idle.tundish(['build', 'models/tiny'], undefined, environment);
    expect(output).toMatch(/total +0 run, 11 cached/);
    expect(code).toBe(0);
    expect(containerOf(idle)).toBe(containerOf(first));
    const other = await clone({ checkpoint: false });
    const empty = await other.tundish(['build', 'models/tiny'], undefined, { TUNDISH_REMOTE_CACHE: pathToFileURL(temporaryFolder()).href });
    expect(empty.code).toBe(3);
    expect(empty.output).toContain('CHECKPOINT_FOLDER_NOT_FOUND');
  });
});

describe('a clone with the checkpoint', () => {
  it('makes again what the remote cache has lost and what it holds wrong, with the same bytes', async () => {
    const damaged = temporaryFolder();
    cpSync(shared, damaged, { recursive: true });
    // One that quantize made and compile handed on, and one that compile made.
    const weights = outputsOf('parts/part1of2/compile').reduce((largest, file) => (file.size > largest.size ? file : largest)).sha256;
    const graph = outputsOf('parts/part2of2/compile').find(({ name }) => name.endsWith('.onnx'))?.sha256 ?? '';
    rmSync(join(damaged, 'cas', weights));
    const wrong = join(damaged, 'cas', graph);
    const bytes = readFileSync(wrong);
    bytes[1000] = (bytes[1000] as number) ^ 4;
    chmodSync(wrong, 0o644);
    writeFileSync(wrong, bytes);
    const workspace = await clone({ checkpoint: true });
    const { code, output } = await workspace.nx(['run', 'tiny:compile'], { TUNDISH_REMOTE_CACHE: pathToFileURL(damaged).href });
    expect(output).toMatch(/total +0 run, 11 cached/);
    expect(output).toContain('run again: 2 steps');
    expect(output.match(/counts as absent/g)).toHaveLength(1);
    expect(code).toBe(0);
    expect(containerOf(workspace)).toBe(containerOf(first));
    for (const { name, sha256 } of outputsOf('package')) expect(digestOf(join(workspace.root, CONTAINER, name)), name).toBe(sha256);
    expect(existsSync(join(damaged, 'cas', weights))).toBe(true);
  });

  it('builds all by itself when the remote cache is down, and says so once', async () => {
    const workspace = await clone({ checkpoint: true });
    const { code, output } = await workspace.nx(['run', 'tiny:compile'], { TUNDISH_REMOTE_CACHE: 'http://127.0.0.1:1' });
    expect(output).toMatch(/total +11 run, 0 cached/);
    expect(output.match(/is not asked again in this run/g)).toHaveLength(1);
    expect(code).toBe(0);
    expect(containerOf(workspace)).toBe(containerOf(first));
  });
});
