/** Clients that lie, dawdle or aim at other files: refused, nothing lost, and the server goes on. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { blobOf } from './bodies.js';
import { ServerProcess, tokenOf } from './server-process.js';

const server = new ServerProcess();
const treasure = blobOf('must stay');
const tokens = server.writeTokens([{ name: 'main', scope: 'read-write' }]);

beforeAll(async () => {
  writeFileSync(join(server.folder, 'outside'), 'outside');
  await server.start('--tokens', tokens, '--client-timeout', '0.5', '--min-rate', '10kB', '--max-connections', '12');
  expect(await server.put(treasure.path, treasure.bytes, 'main')).toBe(200);
});
afterEach(async () => {
  expect((await server.bytes(treasure.path, 'main')).toString()).toBe('must stay');
  // What an upload that was cut leaves is removed after its connection has ended.
  await expect.poll(() => server.files().length, { timeout: 5000 }).toBe(2);
});
afterAll(async () => {
  await server.stop();
  await server.remove();
});

const HEAD = `host: x\r\nauthorization: Bearer ${tokenOf('main')}\r\n`;

/** Sends bytes as they are; resolves to all that comes back until the server, or the time, ends it. */
function raw(text: string, { seconds = 5, then }: { readonly seconds?: number; readonly then?: (socket: Socket) => void } = {}): Promise<{ readonly answer: string; readonly closed: boolean; readonly seconds: number }> {
  const started = performance.now();
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write(text, 'latin1');
      then?.(socket);
    });
    const finish = (closed: boolean): void => {
      socket.destroy();
      resolve({ answer, closed, seconds: (performance.now() - started) / 1000 });
    };
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => finish(true));
    setTimeout(() => finish(false), seconds * 1000);
  });
}

const statusOf = ({ answer }: { readonly answer: string }): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

describe('a key that is a path', () => {
  const paths = ['/cas/../../outside', '/cas/..%2f..%2foutside', '/cas/%2e%2e/%2e%2e/outside', '/cas//etc/passwd', '/cas/..\\..\\outside', '/ac/../cas/../../outside', `/cas/${'0'.repeat(62)}/.`, `/cas/${'0'.repeat(64)}%00`, `/cas/${'0'.repeat(64)}.json`, '/cas/%zz', '/v1/cache/../../outside', '/v1/cache/..', '/v1/cache/%2e%2e%2f%2e%2e%2foutside', '//cas/x', `${treasure.path}/`, `/cas/${'a'.repeat(3000)}`].map((path) => ({ path, name: path.slice(0, 80) }));
  it.each(paths)('$name', async ({ path }) => {
    const read = await raw(`GET ${path} HTTP/1.1\r\n${HEAD}connection: close\r\n\r\n`);
    expect([400, 404]).toContain(statusOf(read));
    expect(read.answer).not.toMatch(/outside$|root:/);
    const written = await raw(`PUT ${path} HTTP/1.1\r\n${HEAD}content-length: 4\r\nconnection: close\r\n\r\nevil`);
    expect([400, 403, 404]).toContain(statusOf(written));
    expect(readFileSync(join(server.folder, 'outside'), 'utf8')).toBe('outside');
  });
});

describe('a body', () => {
  const blob = blobOf('twelve bytes');
  const put = (declared: string, sent: string): string => `PUT ${blob.path} HTTP/1.1\r\n${HEAD}${declared}\r\n\r\n${sent}`;

  it('shorter than declared is cut off', async () => {
    const ended = await raw(put('content-length: 12', 'twelve'), { then: (socket) => socket.end() });
    expect(ended.closed).toBe(true);
    expect((await raw(put('content-length: 12', 'twelve'), { seconds: 8 })).closed).toBe(true);
    expect(await server.status(blob.path, { token: 'main' })).toBe(404);
  });

  it('longer than declared is not taken for it', async () => {
    // What nobody reads resets the connection, and a reset may overtake the answer.
    const refused = [400, NaN];
    expect(refused).toContain(statusOf(await raw(put('content-length: 6\r\nconnection: close', 'twelve bytes'))));
    // What is too much would be the next request, and is none.
    expect(refused).toContain(statusOf(await raw(put('content-length: 13', 'twelve bytes and more'), { seconds: 3 })));
    expect(await server.status(blob.path, { token: 'main' })).toBe(404);
  });

  it.each(['content-length: -1', 'content-length: 12, 12', 'content-length: 12\r\ncontent-length: 13', 'content-length: 1e3', 'content-length: 12\r\ntransfer-encoding: chunked', 'transfer-encoding: gzip'])('with %s is refused', async (declared) => {
    expect([400, 411]).toContain(statusOf(await raw(put(`${declared}\r\nconnection: close`, 'twelve bytes'), { seconds: 3 })));
  });

  it('of absurd length is refused at once, and not waited for', async () => {
    const started = performance.now();
    expect(statusOf(await raw(put('content-length: 900000000000000', 'x'), { seconds: 0.3 }))).toBe(413);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('is not taken from who sends a byte now and then', async () => {
    const cut = await server.metric('tundish_cache_cut_connections_total');
    const drip = await raw(put('content-length: 12000', ''), {
      seconds: 8,
      then: (socket) => {
        const timer = setInterval(() => socket.write('x'), 50);
        socket.once('close', () => clearInterval(timer));
      },
    });
    expect(drip.closed).toBe(true);
    expect(await server.metric('tundish_cache_cut_connections_total')).toBeGreaterThan(cut);
  });
});

describe('a head', () => {
  it('that never ends is not waited for', async () => {
    const drip = await raw('GET /health HTTP/1.1\r\n', {
      seconds: 8,
      then: (socket) => {
        const timer = setInterval(() => socket.write('x: y\r\n'), 50);
        socket.once('close', () => clearInterval(timer));
      },
    });
    expect(drip.closed).toBe(true);
  });

  it('that never begins is not waited for', async () => {
    expect((await raw('', { seconds: 8 })).closed).toBe(true);
  });

  it('that is too large is refused', async () => {
    expect(statusOf(await raw(`GET /health HTTP/1.1\r\n${HEAD}x: ${'y'.repeat(10_000)}\r\n\r\n`))).toBe(431);
  });

  it.each(['GARBAGE\r\n\r\n', `GET /health HTTP/1.1\r\nhost: x\r\nx y: z\r\n\r\n`, '\u0016\u0003\u0001\u0002\u0000\u0001'])('that is none is refused: %j', async (text) => {
    expect(statusOf(await raw(text, { seconds: 3 }))).toBe(400);
  });
});

describe('connections', () => {
  it('beyond the limit are closed, and those of dawdlers end', async () => {
    const dawdlers = Array.from({ length: 30 }, () => raw('GET /health HTTP/1.1\r\n', { seconds: 8 }));
    expect((await Promise.all(dawdlers)).filter(({ closed }) => !closed)).toEqual([]);
    expect(await server.status('/health')).toBe(200);
  });

  it('of who does not take what it asked for end', async () => {
    const other = new ServerProcess();
    try {
      await other.start('--client-timeout', '0.4', '--min-rate', '2MB');
      const large = blobOf(Buffer.alloc(24 << 20, 'x'));
      expect(await other.put(large.path, large.bytes)).toBe(200);
      const socket = connect(other.port, '127.0.0.1', () => socket.write(`GET ${large.path} HTTP/1.1\r\nhost: x\r\n\r\n`));
      socket.pause();
      await expect.poll(() => other.metric('tundish_cache_cut_connections_total'), { timeout: 10_000 }).toBe(1);
      socket.destroy();
      // Who takes it is served, however often the guard looks.
      expect((await other.bytes(large.path)).equals(large.bytes)).toBe(true);
    } finally {
      await other.remove();
    }
  });
});

describe('a folder that others write to', () => {
  it('is not left through links and odd names', async () => {
    const other = new ServerProcess();
    try {
      const [linked, odd] = ['ab', 'cd'].map((start) => start + '0'.repeat(62)) as [string, string];
      mkdirSync(join(other.root, 'trusted/cas/ab'), { recursive: true });
      writeFileSync(join(other.folder, 'outside'), 'outside');
      symlinkSync(join(other.folder, 'outside'), other.fileOf('cas', linked));
      writeFileSync(`${other.fileOf('cas', linked)}.json`, '{}');
      symlinkSync(other.folder, join(other.root, 'trusted/cas/cd'));
      symlinkSync(other.folder, join(other.root, 'trusted/nx'));
      writeFileSync(join(other.root, 'trusted/cas/ab/README'), 'not ours');
      writeFileSync(join(other.folder, odd), 'outside');
      writeFileSync(join(other.folder, `${odd}.json`), '{}');
      await other.start();
      for (const key of [linked, odd]) expect(await other.status(`/cas/${key}`)).toBe(404);
      expect(await other.metric('tundish_cache_entries{trust="trusted"}')).toBe(0);
      expect(readFileSync(join(other.folder, 'outside'), 'utf8')).toBe('outside');
      expect(readFileSync(join(other.root, 'trusted/cas/ab/README'), 'utf8')).toBe('not ours');
    } finally {
      await other.remove();
    }
  });
});
