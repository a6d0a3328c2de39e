/** Who may do what: scopes, namespaces that keep the untrusted apart, and what an operator does about tokens. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '@tundish/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTokenFile } from '../src/tokens/token-file.js';
import { actionEntry, archiveOf, blobOf, keyOf } from './bodies.js';
import { ServerProcess } from './server-process.js';

const COMMAND = fileURLToPath(new URL('../bin/tundish-cache.js', import.meta.url));
const command = (...words: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => spawnSync(process.execPath, [COMMAND, ...words], { encoding: 'utf8' });

const server = new ServerProcess();
const tokens = [
  { name: 'main', scope: 'read-write' },
  { name: 'reader', scope: 'read' },
  { name: 'pr-17', scope: 'read-write', namespace: 'pr-17' },
  { name: 'pr-18', scope: 'read-write', namespace: 'pr-18' },
  { name: 'pr-17-reader', scope: 'read', namespace: 'pr-17' },
] as const;
const path = server.writeTokens(tokens);

beforeAll(() => server.start('--tokens', path));
afterAll(async () => {
  await server.stop();
  await server.remove();
});

describe('a token', () => {
  const blob = blobOf('secret');

  it('that is missing or unknown sees and writes nothing', async () => {
    expect(await server.put(blob.path, blob.bytes, 'main')).toBe(200);
    for (const authorization of [undefined, 'Bearer wrong', 'Bearer ', `Basic ${Buffer.from('a:b').toString('base64')}`, `Bearer ${sha256('secret-of-main')}`, `Bearer ${'x'.repeat(600)}`]) {
      const headers = authorization === undefined ? {} : { authorization };
      expect(await server.status(blob.path, { headers })).toBe(401);
      expect(await server.status(blob.path, { headers, method: 'HEAD' })).toBe(401);
      expect(await server.status(blobOf('new').path, { headers, method: 'PUT', body: 'new' })).toBe(401);
      expect(await server.status(`/ac/${keyOf('a')}`, { headers, method: 'PUT', body: actionEntry(keyOf('a'), []) })).toBe(401);
      expect(await server.status('/v1/cache/1', { headers })).toBe(404);
      expect(await server.status('/v1/cache/1', { headers, method: 'PUT', body: await archiveOf() })).toBe(403);
    }
    expect(await server.status(blobOf('new').path, { token: 'main' })).toBe(404);
    expect(await server.status('/v1/cache/1', { token: 'main' })).toBe(404);
  });

  it('that may read does not write', async () => {
    expect((await server.bytes(blob.path, 'reader')).toString()).toBe('secret');
    expect(await server.put(blobOf('new').path, 'new', 'reader')).toBe(403);
    expect(await server.put(`/ac/${keyOf('a')}`, actionEntry(keyOf('a'), []), 'reader')).toBe(403);
    expect(await server.put('/v1/cache/1', await archiveOf(), 'reader')).toBe(403);
    expect(await server.put(blobOf('new').path, 'new', 'pr-17-reader')).toBe(403);
    expect(await server.status(blobOf('new').path, { token: 'main' })).toBe(404);
  });
});

describe('an untrusted writer', () => {
  const key = keyOf('what main will read');
  const forged = actionEntry(key, [], { createdAt: '2026-06-06T00:00:00.000Z' });
  const honest = actionEntry(key, []);
  const blob = blobOf('only of pr 17');

  it('does not reach who trusts others', async () => {
    expect(await server.put(`/ac/${key}`, forged, 'pr-17')).toBe(200);
    expect(await server.put('/v1/cache/4711', await archiveOf(), 'pr-17')).toBe(200);
    expect(await server.put(blob.path, blob.bytes, 'pr-17')).toBe(200);
    for (const token of ['main', 'reader', 'pr-18']) {
      for (const other of [`/ac/${key}`, '/v1/cache/4711', blob.path]) expect([token, other, await server.status(other, { token })]).toEqual([token, other, 404]);
    }
  });

  it('reads what it wrote, and who shares its namespace too', async () => {
    for (const token of ['pr-17', 'pr-17-reader']) {
      expect((await server.bytes(`/ac/${key}`, token)).toString()).toBe(forged);
      expect(await server.status('/v1/cache/4711', { token })).toBe(200);
      expect((await server.bytes(blob.path, token)).toString()).toBe('only of pr 17');
    }
  });

  it('does not keep the key from main, and reads the trusted entry afterwards', async () => {
    const named = actionEntry(keyOf('names'), [blob]);
    expect(await server.put(`/ac/${keyOf('names')}`, named, 'main')).toBe(400);
    expect(await server.put(`/ac/${key}`, honest, 'main')).toBe(200);
    for (const token of ['main', 'reader', 'pr-17', 'pr-18']) expect((await server.bytes(`/ac/${key}`, token)).toString()).toBe(honest);
    expect(await server.put(`/ac/${key}`, forged, 'pr-18')).toBe(409);
    expect(await server.put('/v1/cache/4711', await archiveOf(), 'main')).toBe(200);
    expect(await server.put('/v1/cache/4711', await archiveOf(), 'pr-18')).toBe(409);
  });

  it('may name trusted blobs in its entries', async () => {
    const shared = blobOf('shared');
    await server.put(shared.path, shared.bytes, 'main');
    const own = keyOf('of pr 18');
    expect(await server.put(`/ac/${own}`, actionEntry(own, [shared]), 'pr-18')).toBe(200);
    expect(await server.put(`/ac/${own}`, actionEntry(own, [shared]), 'pr-17')).toBe(200);
    expect(server.files().filter((file) => file.endsWith(own))).toEqual(['pr-17', 'pr-18'].map((name) => `namespaces/${name}/ac/${own.slice(0, 2)}/${own}`));
  });

  it('is purged by name', async () => {
    const { stdout } = command('purge', '--dir', server.root, '--writer', 'pr-17', '--json');
    expect((JSON.parse(stdout) as { entries: number }).entries).toBe(4);
    for (const gone of ['/v1/cache/9', blob.path]) expect(await server.status(gone, { token: 'pr-17' })).toBe(404);
    expect(server.files().filter((file) => file.startsWith('namespaces/pr-17'))).toEqual([]);
    // What it wrote can be written again, though the server knew it.
    expect(await server.put(blob.path, blob.bytes, 'pr-17')).toBe(200);
    expect((await server.bytes(`/ac/${key}`, 'main')).toString()).toBe(honest);
  });
});

describe('the file of tokens', () => {
  it('is read again at SIGHUP, unless it is wrong', async () => {
    const told = async (what: string): Promise<void> => expect.poll(() => server.output, { timeout: 5000 }).toContain(what);
    writeFileSync(path, '[{}]');
    server.signal('SIGHUP');
    await told('SIGHUP: the tokens stay as they were\nCACHE_TOKEN_FILE');
    expect(await server.status(blobOf('secret').path, { token: 'main' })).toBe(200);
    server.writeTokens([{ name: 'reader', scope: 'read-write' }]);
    server.signal('SIGHUP');
    await told('SIGHUP: read the tokens again');
    expect(await server.status(blobOf('secret').path, { token: 'main' })).toBe(401);
    expect(await server.put(blobOf('now').path, 'now', 'reader')).toBe(200);
    server.writeTokens(tokens);
    server.signal('SIGHUP');
    await expect.poll(() => server.status(blobOf('secret').path, { token: 'main' })).toBe(200);
  });

  const entry = { name: 'a', sha256: '0'.repeat(64), scope: 'read', trust: 'trusted' };
  it.each([
    ['no list', '{}', 'it must be a list'],
    ['no JSON', '[', 'cannot be read'],
    ['a token instead of its sha256', [{ ...entry, sha256: 'secret' }], 'entry 0.sha256 must be 64'],
    ['an unknown scope', [{ ...entry, scope: 'all' }], 'entry 0.scope must be read or read-write'],
    ['an untrusted one without a namespace', [{ ...entry, trust: 'untrusted' }], 'entry 0.namespace must be lower-case'],
    ['a namespace that leaves the folder', [{ ...entry, trust: 'untrusted', namespace: '../trusted' }], 'entry 0.namespace must be lower-case'],
    ['a trusted one with a namespace', [{ ...entry, namespace: 'pr-1' }], 'only for an untrusted token'],
    ['two of one name', [entry, { ...entry, sha256: '1'.repeat(64) }], 'the name of a is that of another entry'],
    ['a field that is not known', [{ ...entry, token: 'x' }], 'entry 0.token is unknown'],
  ])('is refused: %s', (_what, content, why) => {
    const bad = join(server.folder, 'bad.json');
    writeFileSync(bad, typeof content === 'string' ? content : JSON.stringify(content));
    expect(() => readTokenFile(bad)).toThrow(expect.objectContaining({ code: 'CACHE_TOKEN_FILE', message: expect.stringContaining(why) as string }));
  });
});

describe('the command', () => {
  it('makes a token whose entry opens the server', async () => {
    const { token, entry } = JSON.parse(command('token', '--name', 'fresh', '--scope', 'read-write', '--trust', 'trusted', '--json').stdout) as { token: string; entry: object };
    writeFileSync(path, JSON.stringify([entry]));
    server.signal('SIGHUP');
    await expect.poll(() => server.status(blobOf('fresh').path, { method: 'PUT', body: 'fresh', headers: { authorization: `Bearer ${token}` } })).toBe(200);
  });

  it('refuses what does not go together', () => {
    expect(command('token', '--name', 'a', '--scope', 'read', '--trust', 'untrusted')).toMatchObject({ status: 2, stderr: expect.stringContaining('namespace must be') });
    expect(command('--dir', join(server.folder, 'other'), '--host', '0.0.0.0', '--port', '0')).toMatchObject({ status: 2, stderr: expect.stringContaining('CACHE_USAGE: a server without tokens does not listen at 0.0.0.0') });
    expect(command('--dir', join(server.folder, 'other'), '--quota', '1GB', '--untrusted-quota', '2GB')).toMatchObject({ status: 2, stderr: expect.stringContaining('lower --untrusted-quota') });
    expect(command('purge', '--dir', join(server.folder, 'nothing'), '--writer', 'a')).toMatchObject({ status: 3, stderr: expect.stringContaining('CACHE_FOLDER') });
  });
});
