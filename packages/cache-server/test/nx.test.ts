/** The remote cache of Nx: whatever goes wrong, the answer is one that its client takes well. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { sha256 } from '@tundish/store';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CODE, archiveOf, tarOf } from './bodies.js';
import { ServerProcess, exists } from './server-process.js';

/** As its client sent it: the folders a, a/out and a/out/sub, a file, terminalOutput and code. */
const PACKED_BY_NX = 'H4sIAAAAAAAA/+3WSw6CMBAG4FmbcIdZsTNMS0t3XMEzIJBAFCE8Eo8vskDtwkRNMcp8SdOmu/bPdJqAe0SKjNbjPLHnaS10SKRJRpG87ptQE2hYwND1SYsIn7IP9yOSoB56cOv1/AUJbTj/BUz5B92wB3feyd9w/S9izj84gytjnBQp9ST/0M5fSDKwyCWuPP+i3ABbrz5vq/KUHHdD3zj/CFjm8o/EQy8Yh1ZSAXMvxuqQlS1uG5xbAfo+5mlRY1FijHcdwtt4/Fr8l7TOcviSW8kru/5DaQwwxhhjzI0LgW63mwAWAAA=';

const server = new ServerProcess();
beforeAll(() => server.start('--quota', '3MB', '--max-archive', '2MB', '--max-unpacked', '40MB', '--answer-timeout', '1.5'));
afterEach(() => server.setFaults({}));
afterAll(async () => {
  await server.stop();
  await server.remove();
});

const put = async (hash: string, body: Uint8Array<ArrayBuffer>): Promise<number> => server.put(`/v1/cache/${hash}`, body);
const get = async (hash: string): Promise<number> => server.status(`/v1/cache/${hash}`);

describe('an archive', () => {
  it('is stored once and read as it is', async () => {
    const body = await archiveOf();
    expect([await get('1'), await put('1', body), await put('1', body)]).toEqual([404, 200, 409]);
    expect((await server.bytes('/v1/cache/1')).equals(body)).toBe(true);
    expect(await server.status('/v1/cache/1', { method: 'HEAD' })).toBe(200);
  });

  it('that Nx 23.2.1 packed is stored', async () => {
    const body = new Uint8Array(Buffer.from(PACKED_BY_NX, 'base64'));
    expect(await put('23', body)).toBe(200);
  });

  it.each([
    ['links inside', [{ name: 'a/out/x', content: 'x' }, { name: 'a/out/y', type: 'symlink', linkname: 'x' }, { name: 'a/out/z', type: 'symlink', linkname: '../../b/x' }, CODE]],
    ['folders and long names', [{ name: 'a/out/', type: 'directory' }, { name: `a/${'long/'.repeat(50)}name`, content: 'x' }, CODE]],
    ['a name with dots', [{ name: 'a/..b/...', content: 'x' }, CODE]],
    ['much of the same', [{ name: 'terminalOutput', content: '\n'.repeat(10 << 20) }, CODE]],
  ] as const)('may hold %s', async (what, files) => {
    expect(await put(sha256(what), await archiveOf(files))).toBe(200);
  });

  it.each([
    ['a name that leaves', [{ name: '../../etc/passwd', content: 'x' }, CODE]],
    ['a name that leaves in the middle', [{ name: 'a/../../x', content: 'x' }, CODE]],
    ['an absolute name', [{ name: '/etc/passwd', content: 'x' }, CODE]],
    ['a name of Windows that leaves', [{ name: 'a\\..\\..\\x', content: 'x' }, CODE]],
    ['a drive', [{ name: 'C:x', content: 'x' }, CODE]],
    ['a name that leaves by attributes', [{ name: 'x', content: 'x', pax: { path: '../../x' } }, CODE]],
    ['a link that leaves', [{ name: 'a/x', type: 'symlink', linkname: '../../x' }, CODE]],
    ['an absolute link', [{ name: 'a/x', type: 'symlink', linkname: '/etc/passwd' }, CODE]],
    ['a file below a link', [{ name: 'a', type: 'symlink', linkname: 'b' }, { name: 'a/x', content: 'x' }, CODE]],
    ['a file over a link', [{ name: 'a/x', type: 'symlink', linkname: 'y' }, { name: './a//x', content: 'x' }, CODE]],
    ['a hard link', [{ name: 'a/x', type: 'link', linkname: 'b' }, CODE]],
    ['a device', [{ name: 'a/x', type: 'character-device' }, CODE]],
    ['a pipe', [{ name: 'a/x', type: 'fifo' }, CODE]],
    ['no exit code', [{ name: 'terminalOutput', content: 'x' }]],
    ['a long exit code', [{ name: 'code', content: 'x'.repeat(5) }]],
    ['an exit code that is a link', [{ name: 'code', type: 'symlink', linkname: 'x' }]],
  ] as const)('with %s is refused', async (_what, files) => {
    expect(await put('2', await archiveOf(files))).toBe(403);
    expect(await get('2')).toBe(404);
  });

  it('that is damaged, cut or something else is refused', async () => {
    const body = await archiveOf([{ name: 'a', content: randomBytes(30_000) }, CODE]);
    const wrong = Uint8Array.from(body).fill(7, 5000, 5100);
    const bodies = [new Uint8Array(0), body.subarray(0, body.length - 1), body.subarray(0, 9000), body.subarray(0, 9), wrong, new Uint8Array([...body, 1, 2, 3]), new Uint8Array(await tarOf([CODE])), new TextEncoder().encode('<html>'), new Uint8Array(gzipSync('no tar')), new Uint8Array(gzipSync((await tarOf([{ name: 'a', content: 'x'.repeat(5000) }, CODE])).subarray(0, 3000)))];
    for (const [i, bad] of bodies.entries()) expect([i, await put('3', new Uint8Array(bad))]).toEqual([i, 403]);
    expect(await get('3')).toBe(404);
  });

  it('that bursts is refused, without taking memory', async () => {
    const before = server.peakMegabytes();
    const zeros = gzipSync(await tarOf([{ name: 'a', content: Buffer.alloc(39 << 20) }, CODE]), { level: 9 });
    expect(zeros.length).toBeLessThan(50_000);
    expect(await put('4', new Uint8Array(zeros))).toBe(403);
    // Under the limit of its ratio, over that of its size.
    const large = Buffer.concat([Buffer.alloc(41 << 20), randomBytes(400_000)]);
    expect(await put('4', await archiveOf([{ name: 'a', content: large }, CODE]))).toBe(403);
    expect(await put('4', await archiveOf([{ name: 'a', pax: { comment: 'x'.repeat(5 << 20) } }, CODE]))).toBe(403);
    expect(await get('4')).toBe(404);
    expect(server.peakMegabytes() - before).toBeLessThan(60);
  });

  it('has a hash that names a file and nothing else', async () => {
    for (const hash of ['..%2f..%2fx', 'A', 'x'.repeat(65), 'x'.repeat(300), '%00', '%zz', '1.json', 'a%5cb']) {
      expect([hash, await get(hash), await put(hash, await archiveOf())]).toEqual([hash, 404, 403]);
    }
  });
});

describe('what goes wrong', () => {
  it('with the room: 403 after the whole body', async () => {
    const files = server.files();
    expect(await put('5', await archiveOf([{ name: 'a', content: randomBytes(2_100_000) }, CODE]))).toBe(403);
    const answer = await server.request('/v1/cache/5', { method: 'PUT', body: new Uint8Array(8 << 20) });
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('CACHE_TOO_LARGE')]);
    expect(server.files()).toEqual(files);
  });

  it('with the quota: 403', async () => {
    const small = new ServerProcess();
    await small.start('--quota', '64kB');
    try {
      expect(await small.put('/v1/cache/6', await archiveOf([{ name: 'a', content: randomBytes(100_000) }, CODE]))).toBe(403);
      expect(await small.put(blobPath, new Uint8Array(100_000))).toBe(403);
      expect(await small.put('/v1/cache/6', await archiveOf())).toBe(200);
    } finally {
      await small.remove();
    }
  });

  it('with the disk while writing: 403, and nothing is left', async () => {
    server.setFaults({ broken: '/tmp/' });
    expect(await put('7', await archiveOf())).toBe(403);
    server.setFaults({ broken: 'trusted/nx/07' });
    expect(await put('7', await archiveOf())).toBe(403);
    server.setFaults({});
    expect(server.files().filter((file) => file.startsWith('tmp/') || file.includes('/07/'))).toEqual([]);
    expect(await put('7', await archiveOf())).toBe(200);
    expect(server.output).toContain('EIO');
  });

  it('with the disk while reading: 404', async () => {
    await put('8', await archiveOf());
    server.setFaults({ broken: 'nx/08' });
    expect(await get('8')).toBe(404);
    server.setFaults({});
    expect(await get('8')).toBe(200);
  });

  it.each(['that was not read', 'that was read'])('with a disk that hangs: 404 and 403 in time, of an entry %s', async (which) => {
    await put('9', await archiveOf());
    if (which === 'that was read') expect(await get('9')).toBe(200);
    server.setFaults({ slow: 'nx/09' });
    const started = performance.now();
    expect(await get('9')).toBe(404);
    server.setFaults({ slow: '/tmp/' });
    expect(await put(`10${which.length}`, await archiveOf())).toBe(403);
    expect(performance.now() - started).toBeLessThan(20_000);
    server.setFaults({});
    expect(await get('9')).toBe(200);
  });

  it.each([
    ['a flipped bit', (path: string) => writeFileSync(path, readFileSync(path).map((byte, i) => (i === 20 ? byte ^ 1 : byte)))],
    ['a cut', (path: string) => truncateSync(path, 50)],
    ['nothing there', (path: string) => rmSync(path)],
    ['a folder', (path: string) => (rmSync(path), mkdirSync(path))],
    ['a link to another file', (path: string) => (rmSync(path), symlinkSync('/etc/passwd', path))],
    ['a record that is lost', (path: string) => rmSync(`${path}.json`)],
    ['a record that is damaged', (path: string) => writeFileSync(`${path}.json`, '{}')],
  ])('with a file, %s: 404, and the next PUT makes it good', async (what, damage) => {
    const hash = sha256(what);
    const body = await archiveOf();
    await put(hash, body);
    damage(server.fileOf('nx', hash));
    expect(await get(hash)).toBe(404);
    expect(exists(server.fileOf('nx', hash))).toBe(false);
    expect(await put(hash, body)).toBe(200);
    expect((await server.bytes(`/v1/cache/${hash}`)).equals(body)).toBe(true);
  });

  it('with a file that was read and is another one now: what is on the disk counts', async () => {
    const body = await archiveOf();
    await put('13', body);
    expect(await get('13')).toBe(200);
    const path = server.fileOf('nx', '13');
    renameSync(path, `${path}.old`);
    writeFileSync(path, body.map((byte, i) => (i === 20 ? byte ^ 1 : byte)));
    rmSync(`${path}.old`);
    expect(await get('13')).toBe(404);
  });

  it('with the connection: no half is kept', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`PUT /v1/cache/12 HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n${'x'.repeat(10)}`);
    await expect.poll(() => server.files().some((file) => file.startsWith('tmp/'))).toBe(true);
    socket.destroy();
    await expect.poll(() => server.files().some((file) => file.startsWith('tmp/'))).toBe(false);
    expect(await get('12')).toBe(404);
  });
});

const blobPath = `/cas/${'0'.repeat(64)}`;
