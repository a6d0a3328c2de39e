/** Every kind of remote cache does the same: a folder, an HTTP server, an S3-compatible server. */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type BlobRef, type RemoteCache, sha256 } from '@tundish/store';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { openRemoteCache } from '../src/index.js';
import { folderPlace, httpServer, keeping, s3Place, temporaryFolder } from './places.js';

const quiet = new AbortController().signal;
setMaxListeners(0, quiet);

async function bytesOf(stream: Readable | undefined): Promise<Buffer | undefined> {
  if (stream === undefined) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function file(bytes: Uint8Array): { readonly ref: BlobRef; readonly path: string } {
  const path = join(temporaryFolder(), 'file');
  writeFileSync(path, bytes);
  return { ref: { sha256: sha256(bytes), size: bytes.length }, path };
}

const PLACES: readonly [string, () => Promise<string>][] = [
  ['a folder', () => Promise.resolve(folderPlace().address)],
  ['an HTTP server', async () => `${await httpServer(keeping(temporaryFolder()))}/some/prefix/`],
  ['a bucket', () => s3Place('results')],
];

describe.each(PLACES)('%s', (_, place) => {
  let cache: RemoteCache;
  beforeAll(async () => {
    cache = await openRemoteCache(await place());
  });

  it.each([['empty', 0], ['small', 1000], ['in many chunks', 3_000_000], ['in several parts of an upload', 18_000_000]])('keeps a blob, %s', async (_size, size) => {
    const bytes = randomBytes(size);
    const { ref, path } = file(bytes);
    expect(await cache.hasBlob(ref, quiet)).toBe(false);
    expect(await cache.readBlob(ref, quiet)).toBeUndefined();
    let sent = 0;
    expect(await cache.writeBlob(ref, path, quiet, (count) => (sent += count))).toBe('stored');
    expect(sent).toBe(size);
    expect(await cache.hasBlob(ref, quiet)).toBe(true);
    expect((await bytesOf(await cache.readBlob(ref, quiet)))?.equals(bytes)).toBe(true);
    expect(await cache.writeBlob(ref, path, quiet)).toBe('stored');
  });

  it('does not have a blob of another length', async () => {
    const { ref, path } = file(Buffer.from('abc'));
    await cache.writeBlob(ref, path, quiet);
    expect(await cache.hasBlob({ ...ref, size: 4 }, quiet)).toBe(false);
  });

  it('keeps an entry', async () => {
    const key = sha256('key');
    expect(await cache.readEntry(key, quiet)).toBeUndefined();
    expect(await cache.writeEntry(key, Buffer.from('{"first":1}'), quiet)).toBe('stored');
    expect(Buffer.from((await cache.readEntry(key, quiet)) ?? []).toString()).toBe('{"first":1}');
  });

  it('ends a read and a write with their signal', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    const { ref, path } = file(randomBytes(5_000_000));
    await expect(cache.writeBlob(ref, path, controller.signal)).rejects.toThrow();
    expect(await cache.hasBlob(ref, quiet)).toBe(false);
  });
});

test.each(PLACES.slice(0, 2))('%s never replaces an entry', async (_, place) => {
  const cache = await openRemoteCache(await place());
  await cache.writeEntry(sha256('k'), Buffer.from('first'), quiet);
  expect(await cache.writeEntry(sha256('k'), Buffer.from('second'), quiet)).toBe('stored');
  expect(Buffer.from((await cache.readEntry(sha256('k'), quiet)) ?? []).toString()).toBe('first');
});

test('a folder has plain files and nothing else, also after a write that was given up', async () => {
  const { folder, address } = folderPlace();
  const cache = await openRemoteCache(address);
  const { ref, path } = file(randomBytes(4_000_000));
  const controller = new AbortController();
  await expect(cache.writeBlob(ref, path, controller.signal, () => controller.abort(new Error('enough')))).rejects.toThrow('enough');
  await cache.writeBlob(ref, path, quiet);
  await cache.writeEntry(sha256('k'), Buffer.from('{}'), quiet);
  expect(readdirSync(folder).sort()).toEqual(['ac', 'cas', 'tmp']);
  expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
  expect(readFileSync(join(folder, 'ac', sha256('k')), 'utf8')).toBe('{}');
  expect(readdirSync(join(folder, 'cas'))).toEqual([ref.sha256]);
});

test.each([
  ['no address', 'cache'],
  ['an unknown protocol', 'ftp://host/x'],
  ['a password', 'http://me:secret@host/x'],
  ['a query', 'http://host/x?a=b'],
  ['a host of a file', 'file://host/x'],
  ['an unknown option', 's3://bucket/x?regoin=eu'],
  ['no bucket', 's3:///x'],
  ['a wrong flag', 's3://bucket?pathStyle=yes'],
  ['a wrong endpoint', 's3://bucket?endpoint=host'],
])('an address with %s is refused, and no secret of it is printed', async (_, address) => {
  const error = await openRemoteCache(address).catch((thrown: unknown) => thrown as Error & { code: string; fix: string });
  expect(error).toMatchObject({ code: 'REMOTE_URL' });
  expect(String(error)).not.toContain('secret');
});

test('names have no query', async () => {
  expect((await openRemoteCache('s3://bucket/a/b/?region=r&endpoint=http://x')).name).toBe('s3://bucket/a/b');
  expect((await openRemoteCache('https://host:8080/a/')).name).toBe('https://host:8080/a');
});
