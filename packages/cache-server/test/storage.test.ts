/** What is on the disk: after kills and restarts, under a quota, at a shutdown, with bodies larger than memory should be. */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { sha256 } from '@tundish/store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Blob, actionEntry, archiveOf, blobOf, keyOf } from './bodies.js';
import { ServerProcess, exists } from './server-process.js';

let server: ServerProcess;
beforeEach(() => {
  server = new ServerProcess();
});
afterEach(() => server.remove());

const sized = (name: string, bytes: number): Blob => blobOf(Buffer.alloc(bytes, name));
const present = async (blobs: readonly Blob[], token?: string): Promise<boolean[]> => Promise.all(blobs.map(async ({ path }) => (await server.status(path, { method: 'HEAD', ...(token === undefined ? {} : { token }) })) === 200));

/** Sends the head of a PUT and a part of its body, and keeps the connection. */
async function beginUpload(blob: Blob, bytes: number): Promise<{ readonly finish: () => Promise<string> }> {
  const socket = connect(server.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString())).on('error', () => undefined);
  socket.write(`PUT ${blob.path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${blob.bytes.length}\r\n\r\n`);
  socket.write(blob.bytes.subarray(0, bytes));
  await expect.poll(() => server.files().some((file) => file.startsWith('tmp/'))).toBe(true);
  const finish = async (): Promise<string> => {
    socket.write(blob.bytes.subarray(bytes));
    await expect.poll(() => answer).toContain('\r\n\r\n');
    return answer;
  };
  return { finish };
}

describe('a restart', () => {
  it('finds what there was', async () => {
    const blob = sized('a', 5000);
    await server.start();
    await server.put(blob.path, blob.bytes);
    await server.put(`/ac/${keyOf('k')}`, actionEntry(keyOf('k'), [blob]));
    await server.put('/v1/cache/5', await archiveOf());
    await server.stop();
    await server.start();
    expect(server.output).toContain('3 entries');
    expect((await server.bytes(blob.path)).equals(blob.bytes)).toBe(true);
    expect((await server.bytes(`/ac/${keyOf('k')}`)).toString()).toBe(actionEntry(keyOf('k'), [blob]));
    expect(await server.status('/v1/cache/5')).toBe(200);
  });

  it('after a kill in the middle of uploads leaves whole entries and nothing else', async () => {
    const blobs = Array.from({ length: 24 }, (_, i) => sized(`blob ${i}`, 300_000 + i));
    for (const delay of [20, 60, 120]) {
      await server.start();
      const pending = sized(`never ${delay}`, 1 << 20);
      await beginUpload(pending, 400_000);
      const uploads = blobs.map((blob) => server.put(blob.path, blob.bytes).catch(() => undefined));
      await wait(delay);
      await server.kill();
      await Promise.all(uploads);
      await server.start();
      const files = server.files();
      expect(files.filter((file) => file.startsWith('tmp/'))).toEqual([]);
      const bodies = files.filter((file) => !file.endsWith('.json'));
      expect(files).toEqual(bodies.flatMap((file) => [file, `${file}.json`]));
      expect(await present([pending])).toEqual([false]);
      for (const body of bodies) expect(sha256(readFileSync(join(server.root, body)))).toBe(body.slice(-64));
      await server.kill();
    }
    await server.start();
    for (const blob of blobs) expect(await server.put(blob.path, blob.bytes)).toBe(200);
    expect(await present(blobs)).toEqual(blobs.map(() => true));
  });

  it('removes halves', async () => {
    const [whole, noRecord, noBody] = ['a', 'b', 'c'].map((name) => sized(name, 100)) as [Blob, Blob, Blob];
    await server.start();
    for (const { path, bytes } of [whole, noRecord, noBody]) await server.put(path, bytes);
    await server.stop();
    rmSync(`${server.fileOf('cas', noRecord.sha256)}.json`);
    rmSync(server.fileOf('cas', noBody.sha256));
    await server.start();
    expect(await present([whole, noRecord, noBody])).toEqual([true, false, false]);
    expect(server.files().length).toBe(2);
  });

  it('of the machine removes what it lost', async () => {
    const [lost, kept] = [sized('lost', 5000), sized('kept', 5000)];
    await server.start();
    for (const { path, bytes } of [lost, kept]) await server.put(path, bytes);
    await server.kill();
    writeFileSync(server.fileOf('cas', lost.sha256), Buffer.alloc(5000));
    writeFileSync(join(server.root, 'boot-id'), 'of another time');
    await server.start();
    expect(await present([lost, kept])).toEqual([false, true]);
    expect(exists(server.fileOf('cas', lost.sha256))).toBe(false);
  });

  it('while another server runs is refused', async () => {
    await server.start();
    const second = new ServerProcess();
    rmSync(second.folder, { recursive: true });
    Object.defineProperty(second, 'folder', { value: server.folder });
    await expect(second.start()).rejects.toThrow('CACHE_FOLDER_BUSY');
    expect(await server.status('/health')).toBe(200);
  });
});

describe('the quota', () => {
  const blobs = Array.from({ length: 9 }, (_, i) => sized(`b${i}`, 100_000));
  const [a, b, c, ...more] = blobs as [Blob, Blob, Blob, ...Blob[]];

  it('lets go what was unused longest, also after a restart', async () => {
    await server.start('--quota', '350kB');
    for (const { path, bytes } of [a, b, c]) await server.put(path, bytes);
    await server.bytes(a.path);
    await server.stop();
    await server.start('--quota', '350kB');
    await server.put((more[0] as Blob).path, (more[0] as Blob).bytes);
    expect(await present([a, b, c, more[0] as Blob])).toEqual([true, false, true, true]);
    expect(await server.metric('tundish_cache_evicted_total{kind="cas"}')).toBe(1);
    expect(server.files().length).toBe(6);
    await server.stop();
    await server.start('--quota', '130kB');
    expect(server.files().length).toBe(2);
  });

  it('never lets an entry outlive its blobs', async () => {
    await server.start('--quota', '450kB');
    const key = keyOf('uses a and b');
    const entry = actionEntry(key, [a, b]);
    for (const { path, bytes } of [a, b]) await server.put(path, bytes);
    await server.put(`/ac/${key}`, entry);
    for (const blob of more) {
      // Whoever reads the entry has not read its blobs yet.
      expect((await server.bytes(`/ac/${key}`)).toString()).toBe(entry);
      await server.put(blob.path, blob.bytes);
      expect(await present([a, b])).toEqual([true, true]);
    }
    const seen: string[] = [];
    for (let i = 0; i < 8; i++) {
      const blob = sized(`later ${i}`, 60_000);
      await server.put(blob.path, blob.bytes);
      const files = server.files();
      seen.push([key, a.sha256, b.sha256].map((name) => (files.some((file) => file.endsWith(name)) ? 'x' : '-')).join(''));
    }
    expect(seen).toContain('-xx');
    expect(seen.filter((state) => !['xxx', '-xx', '-x-', '--x', '---'].includes(state))).toEqual([]);
  });

  it('of the untrusted does not touch what is trusted', async () => {
    const tokens = server.writeTokens([{ name: 'main', scope: 'read-write' }, { name: 'pr', scope: 'read-write', namespace: 'pr' }]);
    await server.start('--tokens', tokens, '--quota', '600kB', '--untrusted-quota', '250kB');
    for (const { path, bytes } of [a, b, c]) expect(await server.put(path, bytes, 'main')).toBe(200);
    for (const { path, bytes } of more) expect(await server.put(path, bytes, 'pr')).toBe(200);
    expect(await present([a, b, c], 'main')).toEqual([true, true, true]);
    expect((await present(more, 'pr')).filter(Boolean).length).toBe(2);
    const large = sized('large', 300_000);
    expect([await server.put(large.path, large.bytes, 'pr'), await server.put(large.path, large.bytes, 'main')]).toEqual([403, 200]);
  });

  it('counts uploads in flight', async () => {
    await server.start('--quota', '250kB');
    const upload = await beginUpload(a, 50_000);
    await beginUpload(b, 50_000);
    expect(await server.put(c.path, c.bytes)).toBe(403);
    expect(await upload.finish()).toContain('200 OK');
  });
});

describe('a shutdown', () => {
  it('lets requests in flight finish, and takes no others', async () => {
    await server.start('--grace', '20');
    const [up, down] = [sized('up', 3 << 20), sized('down', 40 << 20)];
    await server.put(down.path, down.bytes);
    const upload = await beginUpload(up, 1 << 20);
    const body = await new Promise<AsyncIterable<Buffer>>((resolve) => get(`${server.url}${down.path}`, resolve));
    server.signal('SIGTERM');
    await expect.poll(() => fetch(`${server.url}/health`).then(() => 'answers', () => 'closed')).toBe('closed');
    const hash = createHash('sha256');
    for await (const chunk of body) hash.update(chunk);
    expect(hash.digest('hex')).toBe(down.sha256);
    expect(await upload.finish()).toContain('200 OK');
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    await server.start();
    expect(await present([up, down])).toEqual([true, true]);
  });

  it('does not wait longer than the grace period', async () => {
    await server.start('--grace', '0.5');
    const blob = sized('slow', 1 << 20);
    await beginUpload(blob, 1000);
    const started = performance.now();
    server.signal('SIGINT');
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(8000);
    expect(server.files()).toEqual([]);
  });
});

describe('a large body', () => {
  it('of 200 MB takes little memory on its way in and out', async () => {
    await server.start();
    const [piece, pieces] = [Buffer.alloc(1 << 20, 'zero'), 200];
    const hash = createHash('sha256');
    for (let i = 0; i < pieces; i++) hash.update(piece);
    const path = `/cas/${hash.digest('hex')}`;
    const put = request(`${server.url}${path}`, { method: 'PUT', headers: { 'content-length': piece.length * pieces } });
    const answered = new Promise<number | undefined>((resolve, reject) => put.on('response', (answer) => resolve(answer.resume().statusCode)).on('error', reject));
    for (let i = 0; i < pieces; i++) if (!put.write(piece)) await new Promise((resolve) => put.once('drain', resolve));
    put.end();
    expect(await answered).toBe(200);
    const body = await new Promise<AsyncIterable<Buffer>>((resolve) => get(`${server.url}${path}`, resolve));
    const received = createHash('sha256');
    for await (const chunk of body) received.update(chunk);
    expect(received.digest('hex')).toBe(path.slice(5));
    expect(server.peakMegabytes()).toBeLessThan(200);
  });
});
