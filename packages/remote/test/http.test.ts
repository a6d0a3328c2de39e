/** The HTTP client against a server that answers in every way that one can. */
import { setMaxListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type RemoteCache, sha256 } from '@tundish/store';
import { describe, expect, it } from 'vitest';
import { openRemoteCache } from '../src/index.js';
import { httpServer, keeping, temporaryFolder } from './places.js';

const quiet = new AbortController().signal;
setMaxListeners(0, quiet);
const BYTES = Buffer.alloc(3_000_000, 'x');
const REF = { sha256: sha256(BYTES), size: BYTES.length };
const PATH = join(temporaryFolder(), 'blob');
writeFileSync(PATH, BYTES);

async function answering(status: number, body = '', headers: Record<string, string> = {}): Promise<RemoteCache> {
  return openRemoteCache(await httpServer((request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  }));
}

describe('reading', () => {
  it.each([401, 403, 429, 500, 502, 302])('an answer %i is an outage', async (status) => {
    const cache = await answering(status);
    for (const call of [cache.hasBlob(REF, quiet), cache.readBlob(REF, quiet), cache.readEntry(REF.sha256, quiet)]) await expect(call).rejects.toMatchObject({ code: 'REMOTE_UNAVAILABLE', why: expect.stringContaining(String(status)) });
  });

  it('a page of HTML is an outage, and a token that is missing is said to be', async () => {
    await expect((await answering(200, '<html>', { 'content-type': 'text/html' })).readBlob(REF, quiet)).rejects.toMatchObject({ why: 'it answered with a page of HTML' });
    await expect((await answering(401)).readEntry(REF.sha256, quiet)).rejects.toMatchObject({ fix: expect.stringContaining('TUNDISH_REMOTE_CACHE_TOKEN') });
  });

  it('an entry without end is not read to its end', async () => {
    const cache = await openRemoteCache(await httpServer((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20)));
      };
      response.on('drain', more);
      more();
    }));
    await expect(cache.readEntry(REF.sha256, quiet)).rejects.toMatchObject({ why: expect.stringContaining('more than') });
  });

  it('nobody at the port is an error of the system', async () => {
    await expect((await openRemoteCache('http://127.0.0.1:1')).hasBlob(REF, quiet)).rejects.toThrow('ECONNREFUSED');
  });

  it('a connection that was closed while it lay idle is opened again', async () => {
    let requests = 0;
    const url = await httpServer((request, response) => {
      requests += 1;
      // As a server that restarts: the second request on a connection finds it closed.
      if (requests === 2) request.socket.destroy();
      else response.writeHead(404, { 'content-length': 0 }).end();
    });
    const cache = await openRemoteCache(url);
    expect(await cache.hasBlob(REF, quiet)).toBe(false);
    expect(await cache.hasBlob(REF, quiet)).toBe(false);
    expect(requests).toBe(3);
  });
});

describe('writing', () => {
  it('sends the token, the length and the bytes, and waits to be asked for them', async () => {
    const folder = temporaryFolder();
    const heads: Record<string, unknown>[] = [];
    const cache = await openRemoteCache(await httpServer(keeping(folder, ({ method, url, headers }) => heads.push({ method, url, ...headers }))), { token: 'abc' });
    expect(await cache.writeBlob(REF, PATH, quiet)).toBe('stored');
    expect(heads).toMatchObject([{ method: 'PUT', url: `/cas/${REF.sha256}`, authorization: 'Bearer abc', 'content-length': '3000000', expect: '100-continue' }]);
  });

  it.each([[200, 'stored'], [201, 'stored'], [204, 'stored'], [409, 'stored'], [403, 'refused'], [405, 'refused'], [413, 'refused'], [507, 'refused']] as const)('an answer %i means %s', async (status, meaning) => {
    const cache = await answering(status);
    expect(await cache.writeBlob(REF, PATH, quiet)).toBe(meaning);
    expect(await cache.writeEntry(REF.sha256, Buffer.from('{}'), quiet)).toBe(meaning);
  });

  it.each([[400, 'REMOTE_REJECTED'], [401, 'REMOTE_UNAVAILABLE'], [500, 'REMOTE_UNAVAILABLE'], [502, 'REMOTE_UNAVAILABLE']])('an answer %i is %s, with what the server says', async (status, code) => {
    await expect((await answering(status, 'so it is\nmore')).writeBlob(REF, PATH, quiet)).rejects.toMatchObject({ code, why: expect.stringContaining('so it is') });
  });

  it('a body that the server will not have is not sent', async () => {
    const cache = await openRemoteCache(await checking((response) => response.writeHead(403).end('this token only reads')));
    let read = 0;
    expect(await cache.writeBlob(REF, PATH, quiet, (count) => (read += count))).toBe('refused');
    expect(read).toBe(0);
  });

  it('a server that never asks for it gets the body after a second', async () => {
    let received = 0;
    const cache = await openRemoteCache(await checking((response, request) => {
      request.on('data', (chunk: Buffer) => (received += chunk.length));
      request.on('end', () => response.writeHead(200).end());
    }));
    expect(await cache.writeBlob(REF, PATH, quiet)).toBe('stored');
    expect(received).toBe(REF.size);
  });

  it('a connection that ends in the middle is an error', async () => {
    const cache = await openRemoteCache(await httpServer((request) => void request.once('data', () => request.socket.destroy())));
    await expect(cache.writeBlob(REF, PATH, quiet)).rejects.toThrow();
  });
});

/** A server that decides by itself what becomes of `Expect: 100-continue`. */
async function checking(answer: (response: ServerResponse, request: IncomingMessage) => void): Promise<string> {
  const server = createServer();
  server.on('checkContinue', (request, response) => answer(response, request));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
