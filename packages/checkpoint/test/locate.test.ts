/** A local server speaks the hub's protocol over the files of a fixture, so that the real client downloads them. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Progress, silentReporter } from '@tundish/diagnostics';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { locateCheckpoint, openCheckpoint } from '../src/index.js';
import { repositoryPath } from './fixtures.js';

const SOURCE = repositoryPath('test/fixtures/golden/llama-sharded-fp16');
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const scratch = mkdtempSync(join(tmpdir(), 'tundish-hub-'));
const requested: string[] = [];
let damage = false;
let server: Server;
let endpoint: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    requested.push(url.pathname);
    const json = (value: unknown): void => void response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    if (url.pathname === '/api/models/tiny/llama/revision/main') return json({ _id: '1', id: 'tiny/llama', sha: COMMIT, lastModified: 0 });
    if (url.pathname === `/api/models/tiny/llama/tree/${COMMIT}`) return json(listing());
    const name = new RegExp(`^/tiny/llama/resolve/${COMMIT}/([\\w.-]+)$`).exec(url.pathname)?.[1];
    if (name === undefined) return void response.writeHead(404).end();
    const bytes = readFileSync(join(SOURCE, name));
    if (damage && name.endsWith('.safetensors')) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const begin = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Number(range[2]) + 1 : bytes.length;
    response.setHeader('etag', '"x"').setHeader('content-range', `bytes ${begin}-${end - 1}/${bytes.length}`);
    response.writeHead(range === null ? 200 : 206).end(bytes.subarray(begin, end));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(scratch, { recursive: true });
});

/** The whole folder, golden vectors included, as the hub lists it. */
function listing(): unknown[] {
  return readdirSync(SOURCE).map((path) => {
    const bytes = readFileSync(join(SOURCE, path));
    const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    const lfs = { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, pointerSize: 130 };
    return { type: 'file', path, size: bytes.length, oid, ...(path.endsWith('.safetensors') ? { lfs } : {}) };
  });
}

const options = (cache: string): { baseFolder: string; cacheFolder: string; endpoint: string } => ({ baseFolder: scratch, cacheFolder: join(scratch, cache), endpoint });

describe('folders', () => {
  test('relative to the base, and before a hub id of the same spelling', async () => {
    mkdirSync(join(scratch, 'tiny/folder'), { recursive: true });
    expect(await locateCheckpoint('./tiny/folder', options('none'))).toEqual({ folder: join(scratch, 'tiny/folder'), kind: 'folder' });
    expect(await locateCheckpoint('tiny/folder', options('none'))).toEqual({ folder: join(scratch, 'tiny/folder'), kind: 'folder' });
  });

  test.each([
    ['./nothing', 'CHECKPOINT_FOLDER_NOT_FOUND'],
    ['nothing', 'CHECKPOINT_FOLDER_NOT_FOUND'],
    ['a/b/c', 'HUB_ID_INVALID'],
    ['org/name@../../etc', 'HUB_ID_INVALID'],
  ])('%s is refused with %s', async (spec, code) => {
    await expect(locateCheckpoint(spec, { ...options('none'), offline: true })).rejects.toMatchObject({ code });
  });
});

describe('hub', () => {
  test('offline and absent: says what to run', async () => {
    const absent = locateCheckpoint('tiny/llama@v1', { ...options('none'), offline: true });
    await expect(absent).rejects.toMatchObject({ code: 'HUB_OFFLINE', fix: expect.stringContaining(`hf download tiny/llama --revision v1 --cache-dir ${join(scratch, 'none')}`) as string });
  });

  test('downloads the files of the checkpoint and no others, then serves them offline', async () => {
    const reports: Progress[] = [];
    const located = await locateCheckpoint('tiny/llama', { ...options('cache'), reporter: { ...silentReporter, progress: (progress) => void reports.push(progress) } });
    expect(reports.every(({ bytes }, i) => (bytes?.done ?? 0) >= (reports[i - 1]?.bytes?.done ?? 0))).toBe(true);
    const sizes = readdirSync(located.folder).map((name) => statSync(join(located.folder, name)).size);
    const downloaded = sizes.reduce((sum, size) => sum + size, 0);
    expect(reports.at(-1)).toEqual({ work: 'download', label: 'files', done: sizes.length, total: sizes.length, bytes: { done: downloaded, total: downloaded } });
    expect(located).toEqual({ folder: join(scratch, 'cache/models--tiny--llama/snapshots', COMMIT), kind: 'hub', id: 'tiny/llama', commit: COMMIT });
    const checkpoint = await openCheckpoint(located.folder, { knownModelTypes: ['llama'] });
    expect(readdirSync(located.folder).sort()).toEqual(checkpoint.files.map(({ name }) => name));
    expect(existsSync(join(located.folder, 'golden.safetensors'))).toBe(false);
    const before = requested.length;
    for (const spec of ['tiny/llama', 'tiny/llama@main', `tiny/llama@${COMMIT}`]) expect(await locateCheckpoint(spec, { ...options('cache'), offline: true })).toEqual(located);
    expect(requested.length).toBe(before);
  });

  test('a damaged download is refused and leaves nothing that looks complete; the next one goes on', async () => {
    damage = true;
    await expect(locateCheckpoint('tiny/llama', options('damaged'))).rejects.toThrow(/HUB_DOWNLOAD_FAILED[^]*arrived damaged/);
    damage = false;
    await expect(locateCheckpoint('tiny/llama', { ...options('damaged'), offline: true })).rejects.toMatchObject({ code: 'HUB_OFFLINE' });
    expect(readdirSync(join(scratch, 'damaged/models--tiny--llama/blobs')).filter((name) => name.includes('incomplete'))).toEqual([]);
    requested.length = 0;
    await locateCheckpoint('tiny/llama', options('damaged'));
    expect(requested.filter((path) => path.endsWith('/config.json'))).toEqual([]);
  });

  test('an unknown name and an unreachable hub', async () => {
    await expect(locateCheckpoint('tiny/nobody', options('none'))).rejects.toMatchObject({ code: 'HUB_DOWNLOAD_FAILED' });
    await expect(locateCheckpoint('tiny/llama', { ...options('none'), endpoint: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'HUB_DOWNLOAD_FAILED' });
  });

  test('a snapshot made by another tool is used; one with a dangling link is not', async () => {
    const repo = join(scratch, 'foreign/models--tiny--llama');
    const snapshot = join(repo, 'snapshots', COMMIT);
    cpSync(SOURCE, snapshot, { recursive: true });
    mkdirSync(join(repo, 'refs'));
    writeFileSync(join(repo, 'refs/main'), COMMIT);
    const offline = { ...options('foreign'), offline: true };
    expect((await locateCheckpoint('tiny/llama', offline)).folder).toBe(snapshot);
    rmSync(join(snapshot, 'model-00003-of-00005.safetensors'));
    symlinkSync('../../blobs/nothing', join(snapshot, 'model-00003-of-00005.safetensors'));
    await expect(locateCheckpoint('tiny/llama', offline)).rejects.toMatchObject({ code: 'HUB_OFFLINE' });
  });
});
