/** `/cas` and `/ac`: what is stored, what is read, and what is refused. */
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actionEntry, blobOf, keyOf } from './bodies.js';
import { ServerProcess } from './server-process.js';

const server = new ServerProcess();
beforeAll(() => server.start('--max-blob', '1MB'));
afterAll(async () => {
  await server.stop();
  await server.remove();
});

const blob = blobOf('ten bytes!');

describe('blobs', () => {
  it('are stored once and read as they are', async () => {
    expect(await server.status(blob.path)).toBe(404);
    expect(await server.put(blob.path, blob.bytes)).toBe(200);
    expect(await server.put(blob.path, blob.bytes)).toBe(200);
    const answer = await server.request(blob.path);
    expect([answer.headers.get('content-length'), answer.headers.get('etag'), answer.headers.get('accept-ranges')]).toEqual(['10', `"${blob.sha256}"`, 'bytes']);
    expect(await answer.text()).toBe('ten bytes!');
    expect(await server.metric('tundish_cache_stored_total{kind="cas"}')).toBe(1);
  });

  it('may be empty, and larger than what is read at once', async () => {
    for (const other of [blobOf(''), blobOf('x'.repeat(900_001))]) {
      expect(await server.put(other.path, other.bytes)).toBe(200);
      expect((await server.bytes(other.path)).equals(other.bytes)).toBe(true);
    }
  });

  it('have a head without a body', async () => {
    const answer = await server.request(blob.path, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '10', '']);
    expect(await server.status(blobOf('absent').path, { method: 'HEAD' })).toBe(404);
  });

  it.each([
    ['bytes=2-4', 206, 'n b', 'bytes 2-4/10'],
    ['bytes=7-', 206, 's!'.padStart(3, 'e'), 'bytes 7-9/10'],
    ['bytes=-2', 206, 's!', 'bytes 8-9/10'],
    ['bytes=5-900', 206, 'ytes!', 'bytes 5-9/10'],
    ['bytes=10-', 416, undefined, 'bytes */10'],
    ['bytes=-0', 416, undefined, 'bytes */10'],
    ['bytes=4-2', 200, 'ten bytes!', null],
    ['bytes=0-1,3-4', 200, 'ten bytes!', null],
    ['lines=0-1', 200, 'ten bytes!', null],
  ])('are read in part: %s', async (range, status, text, contentRange) => {
    const answer = await server.request(blob.path, { headers: { range } });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([status, contentRange]);
    if (text !== undefined) expect(await answer.text()).toBe(text);
    else await answer.arrayBuffer();
  });

  it('are read in part where they are large', async () => {
    const large = blobOf(Buffer.alloc(700_000, 'abcdefg'));
    await server.put(large.path, large.bytes);
    const answer = await server.request(large.path, { headers: { range: 'bytes=300000-699998' } });
    expect(Buffer.from(await answer.arrayBuffer()).equals(large.bytes.subarray(300_000, 699_999))).toBe(true);
  });

  it('are not sent again to who has them', async () => {
    expect(await server.status(blob.path, { headers: { 'if-none-match': `"other", W/"${blob.sha256}"` } })).toBe(304);
    expect(await server.status(blob.path, { headers: { 'if-none-match': '"other"' } })).toBe(200);
  });

  it('are refused with another digest, and nothing is left', async () => {
    const before = server.files();
    expect(await server.put(blobOf('promised').path, 'sent')).toBe(400);
    expect(await server.put('/cas/abc', 'sent')).toBe(400);
    expect(await server.put(blobOf('upper').path.toUpperCase().replace('CAS', 'cas'), 'upper')).toBe(400);
    expect(await server.put(blobOf('x'.repeat(1_000_001)).path, 'x'.repeat(1_000_001))).toBe(413);
    expect(await server.put(blob.path, 'other length')).toBe(400);
    expect(server.files()).toEqual(before);
  });

  it('need a length', async () => {
    const body = new ReadableStream({ start: (stream) => (stream.enqueue(new TextEncoder().encode('x')), stream.close()) });
    expect(await server.status(blobOf('x').path, { method: 'PUT', body, duplex: 'half' } as RequestInit)).toBe(411);
  });
});

describe('action entries', () => {
  const key = keyOf('an action');

  it('need the blobs that they name', async () => {
    const absent = blobOf('an output');
    expect(await server.put(`/ac/${key}`, actionEntry(key, [absent]))).toBe(400);
    await server.put(absent.path, absent.bytes);
    expect(await server.put(`/ac/${key}`, actionEntry(key, [{ ...absent, bytes: new Uint8Array(8) }]))).toBe(400);
    expect(await server.put(`/ac/${key}`, actionEntry(key, [absent]))).toBe(200);
    expect((await server.bytes(`/ac/${key}`)).toString()).toBe(actionEntry(key, [absent]));
  });

  it('never change', async () => {
    const [same, other] = [actionEntry(key, [blobOf('an output')]), actionEntry(key, [blobOf('an output')], { createdAt: '2026-01-02T00:00:00.000Z' })];
    expect(await server.put(`/ac/${key}`, same)).toBe(200);
    expect(await server.put(`/ac/${key}`, other)).toBe(409);
    expect((await server.bytes(`/ac/${key}`)).toString()).toBe(same);
  });

  it('belong to one key', async () => {
    const stolen = keyOf('another action');
    expect(await server.put(`/ac/${stolen}`, actionEntry(key, []))).toBe(400);
    expect(await server.put(`/ac/${stolen}`, actionEntry(stolen, [], { hash: key }))).toBe(400);
    expect(await server.status(`/ac/${stolen}`)).toBe(404);
  });

  it.each([
    ['no JSON', 'hello'],
    ['no mapping', '[]'],
    ['another schema', JSON.stringify({ ...JSON.parse(actionEntry(keyOf('form'), [])), schema: 2 })],
    ['a field too many', JSON.stringify({ ...JSON.parse(actionEntry(keyOf('form'), [])), more: 1 })],
    ['another operation', JSON.stringify({ ...JSON.parse(actionEntry(keyOf('form'), [])), operation: 'quantize' })],
    ['a changed manifest', JSON.stringify({ ...JSON.parse(actionEntry(keyOf('form'), [])), manifest: '{}' })],
    ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x00])],
    ['brackets without end', '['.repeat(1 << 20)],
  ])('are refused: %s', async (_what, body) => {
    expect(await server.put(`/ac/${keyOf('form')}`, body)).toBe(400);
    expect(await server.status(`/ac/${keyOf('form')}`)).toBe(404);
  });

  it('are limited in size', async () => {
    expect(await server.put(`/ac/${keyOf('form')}`, new Uint8Array((16 << 20) + 1))).toBe(413);
  });

  it('and blobs have a record of who wrote what when', () => {
    const { writer, sha256, size, time } = JSON.parse(readFileSync(`${server.fileOf('cas', blob.sha256)}.json`, 'utf8')) as Record<string, unknown>;
    expect([writer, sha256, size]).toEqual(['anonymous', blob.sha256, 10]);
    expect(Math.abs(Date.parse(String(time)) - statSync(server.fileOf('cas', blob.sha256)).ctimeMs)).toBeLessThan(600_000);
  });
});
