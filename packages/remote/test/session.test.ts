/** What a build gets of a remote cache that works, is down, slow, full or lying: results that are right, in time, and few words. */
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordingReporter } from '@tundish/diagnostics';
import { type ActionInfo, type BlobRef, type StageManifest, type Store, actionKey, openActionCache, openStore, sha256 } from '@tundish/store';
import { describe, expect, it } from 'vitest';
import { RemoteSession, type RemoteSessionRequest, type RunMarks, marksOfProcess, openRemoteCache } from '../src/index.js';
import { folderPlace, httpServer, keeping, temporaryFolder } from './places.js';

/** Short, and long enough for a machine that has other work. */
const DEADLINES = { answer: 900, idle: 1100, settle: 1300 };
const INFO: Omit<ActionInfo, 'config'> = { source: 'x', createdAt: '2026-01-02T03:04:05.000Z', inputs: {}, wallSeconds: 1, memory: { declared: null, measured: 1, of: 'unit', limit: null } };

interface Opened {
  readonly session: RemoteSession;
  readonly warnings: readonly string[];
  readonly controller: AbortController;
}

async function open(address: string, change: Partial<RemoteSessionRequest> = {}): Promise<Opened> {
  const [reporter, controller] = [recordingReporter(), new AbortController()];
  const session = new RemoteSession({ cache: await openRemoteCache(address), mode: 'read-write', reporter, signal: controller.signal, deadlines: DEADLINES, ...change });
  return { session, warnings: reporter.warnings, controller };
}

/** A store with one result of a few files, and what a session is given to share it. */
async function built(name: string, sizes: readonly number[] = [10, 200_000]): Promise<{ readonly store: Store; readonly key: string; readonly entry: Uint8Array; readonly blobs: readonly BlobRef[] }> {
  const store = openStore(temporaryFolder());
  const cache = openActionCache(store, 'tiny');
  const { key, fields } = actionKey({ stage: 'load', code: sha256('code'), options: { name }, upstream: {} });
  const blobs: BlobRef[] = [];
  for (const [i, size] of sizes.entries()) blobs.push(await store.putBytes(Buffer.alloc(size, `${name} ${i} `)));
  const manifest: StageManifest = { schema: 1, stage: 'load', subject: null, outputs: blobs.map((ref, i) => ({ ...ref, name: `file-${i}`, mediaType: 'x/y' })), externals: [], facts: {} };
  await cache.publish('load', key, { manifest, info: { ...INFO, config: fields } });
  return { store, key, entry: cache.encodedEntry('load', key), blobs };
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

describe('a remote cache that works', () => {
  it('gets blobs before the entry, each once, and gives both back', async () => {
    const asked: string[] = [];
    const address = await httpServer(keeping(temporaryFolder(), ({ method, url }) => asked.push(`${method ?? ''} ${url ?? ''}`)));
    const [one, two] = [await built('one'), await built('two')];
    const { session, warnings } = await open(address);
    session.share(one.store, one);
    session.share(one.store, one);
    session.share(two.store, two);
    await session.finish();
    for (const { key, blobs } of [one, two]) {
      for (const { sha256: digest } of blobs) {
        expect(asked.filter((line) => line.endsWith(digest))).toEqual([`HEAD /cas/${digest}`, `PUT /cas/${digest}`]);
        expect(asked.indexOf(`PUT /cas/${digest}`)).toBeLessThan(asked.indexOf(`PUT /ac/${key}`));
      }
    }
    expect(session.traffic.up).toBeGreaterThan(400_000);
    const reader = await open(address);
    expect((await reader.session.find('load', one.key))?.manifest.outputs).toHaveLength(2);
    expect(await reader.session.find('load', sha256('other'))).toBeUndefined();
    const store = openStore(temporaryFolder());
    await reader.session.fetch(store, [...one.blobs, ...one.blobs, { sha256: sha256('nowhere'), size: 3 }]);
    for (const ref of one.blobs) await store.verify(ref);
    expect([...warnings, ...reader.warnings]).toEqual([]);
    asked.length = 0;
    const again = await open(address);
    again.session.share(one.store, one);
    await again.session.finish();
    expect(asked.filter((line) => line.startsWith('PUT /cas'))).toEqual([]);
  });

  it('has at most four streams in each direction', async () => {
    let [now, most] = [0, 0];
    const folder = temporaryFolder();
    const answer = keeping(folder);
    const address = await httpServer((request, response) => {
      if (!request.url?.startsWith('/cas') || request.method === 'HEAD') return answer(request, response);
      most = Math.max(most, ++now);
      response.on('close', () => (now -= 1));
      setTimeout(() => answer(request, response), 15);
    });
    const result = await built('many', Array.from({ length: 20 }, (_, i) => 1000 + i));
    const { session } = await open(address);
    session.share(result.store, result);
    await session.finish();
    expect(readdirSync(join(folder, 'cas'))).toHaveLength(20);
    await session.fetch(openStore(temporaryFolder()), result.blobs);
    expect(most).toBe(4);
  });

  it('gets nothing from a session that only reads, and no entry whose blobs neither side has', async () => {
    const { folder, address } = folderPlace();
    const result = await built('one');
    const reader = await open(address, { mode: 'read' });
    reader.session.share(result.store, result);
    await reader.session.finish();
    expect(existsSync(join(folder, 'ac'))).toBe(false);
    const { session, warnings } = await open(address);
    session.share(openStore(temporaryFolder()), result);
    await session.finish();
    expect(existsSync(join(folder, 'ac'))).toBe(false);
    expect(warnings).toEqual([]);
  });

  it('does not get a file that rotted here', async () => {
    const { folder, address } = folderPlace();
    const result = await built('rot');
    const path = result.store.pathOf(result.blobs[1] as BlobRef);
    const bytes = readFileSync(path);
    bytes[5] = (bytes[5] as number) ^ 1;
    // As a bit that turns on the disk: under its old times.
    const { atimeMs, mtimeMs } = statSync(path);
    chmodSync(path, 0o644);
    writeFileSync(path, bytes);
    utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
    expect(result.store.has(result.blobs[1] as BlobRef)).toBe(true);
    const { session, warnings } = await open(address);
    session.share(result.store, result);
    await session.finish();
    expect(existsSync(join(folder, 'cas', (result.blobs[1] as BlobRef).sha256))).toBe(false);
    expect(existsSync(join(folder, 'ac'))).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('STORE_BLOB_CORRUPT');
  });
});

describe('a remote cache that lies', () => {
  it('has a wrong blob once: a miss with a warning, nothing in the store', async () => {
    const { folder, address } = folderPlace();
    const result = await built('one');
    mkdirSync(join(folder, 'cas'));
    for (const { sha256: digest, size } of result.blobs) writeFileSync(join(folder, 'cas', digest), Buffer.alloc(size, 'evil'));
    const { session, warnings } = await open(address);
    const store = openStore(temporaryFolder());
    await session.fetch(store, result.blobs);
    await session.fetch(store, result.blobs);
    expect(result.blobs.map((ref) => store.has(ref))).toEqual([false, false]);
    expect(readdirSync(join(store.root, 'tmp'))).toEqual([]);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('counts as absent');
  });

  it('is asked no more after three wrong answers', async () => {
    let asked = 0;
    const { session, warnings } = await open(await httpServer((_, response) => {
      asked += 1;
      response.end('{"hello":"world"}');
    }));
    for (let i = 0; i < 6; i++) expect(await session.find('load', sha256(`${i}`))).toBeUndefined();
    expect(asked).toBe(3);
    expect(warnings).toHaveLength(4);
    expect(warnings.at(-1)).toContain('is not asked again in this run');
  });
});

describe('a remote cache that fails', () => {
  const failures: [string, Parameters<typeof httpServer>[0]][] = [
    ['never answers', () => undefined],
    ['answers 500', (_, response) => void response.writeHead(500).end()],
    ['answers with a page of HTML', (_, response) => void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>')],
    ['cuts every connection', (request) => void request.socket.destroy()],
    ['stops in the middle', (_, response) => void response.writeHead(200, { 'content-length': 1000 }).write('begin')],
    ['ends in the middle', (request, response) => void response.writeHead(200, { 'content-length': 1000 }).write('begin', () => request.socket.destroy())],
  ];

  it.each(failures)('which %s costs one short wait and one warning, in every direction', async (_, answer) => {
    const address = await httpServer(answer);
    const result = await built('one');
    const asking: ((session: RemoteSession) => Promise<unknown>)[] = [
      (session) => session.find('load', result.key),
      (session) => session.fetch(openStore(temporaryFolder()), result.blobs),
      (session) => {
        session.share(result.store, result);
        return session.finish();
      },
    ];
    for (const ask of asking) {
      const { session, warnings } = await open(address);
      expect(await timed(() => ask(session))).toBeLessThan(10_000);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(`the remote cache ${address} is not asked again in this run`);
      expect(await timed(() => asking.reduce((before, next) => before.then(() => next(session)), Promise.resolve<unknown>(undefined)))).toBeLessThan(DEADLINES.answer);
      expect(warnings).toHaveLength(1);
    }
  });

  it('warns once for all processes of a run, and the others do not ask', async () => {
    let asked = 0;
    const address = await httpServer((request) => {
      asked += 1;
      request.socket.destroy();
    });
    const marks: RunMarks = marksOfProcess();
    const [one, two] = [await open(address, { marks }), await open(address, { marks })];
    await one.session.find('load', sha256('a'));
    const before = asked;
    await two.session.find('load', sha256('a'));
    expect(asked).toBe(before);
    expect([one.warnings.length, two.warnings.length]).toEqual([1, 0]);
  });

  it('is slow but not silent: a body that trickles is waited for', async () => {
    const bytes = Buffer.alloc(24, 'x');
    const { session, warnings } = await open(await httpServer((_, response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      const timer = setInterval(() => response.write('x'), 80);
      response.on('close', () => clearInterval(timer));
    }));
    const store = openStore(temporaryFolder());
    await session.fetch(store, [{ sha256: sha256(bytes), size: bytes.length }]);
    expect(store.has({ sha256: sha256(bytes), size: bytes.length })).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('refuses this writer: one warning, no more uploads, and reads go on', async () => {
    const folder = temporaryFolder();
    let puts = 0;
    const address = await httpServer((request, response) => {
      if (request.method !== 'PUT') return keeping(folder)(request, response);
      puts += 1;
      request.resume();
      response.writeHead(403).end();
    });
    const { session, warnings } = await open(address);
    for (const name of ['one', 'two', 'three']) {
      const result = await built(name, [10]);
      session.share(result.store, result);
      await session.finish();
    }
    expect(puts).toBe(1);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('TUNDISH_REMOTE_CACHE_MODE=read');
    expect(await session.find('load', sha256('x'))).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it('calls one upload wrong: that result is not shared, the next one is', async () => {
    const folder = temporaryFolder();
    const [bad, good] = [await built('bad', [10]), await built('good', [20])];
    const address = await httpServer((request, response) => {
      if (request.url !== `/ac/${bad.key}` || request.method !== 'PUT') return keeping(folder)(request, response);
      request.resume();
      response.writeHead(400).end('no such blob');
    });
    const { session, warnings } = await open(address);
    session.share(bad.store, bad);
    await session.finish();
    session.share(good.store, good);
    await session.finish();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('no such blob');
    expect(readdirSync(join(folder, 'ac'))).toEqual([good.key]);
  });

  it('is left at once when the build is stopped', async () => {
    const result = await built('one');
    const { session, controller, warnings } = await open(await httpServer(() => undefined), { deadlines: { answer: 60_000, idle: 60_000, settle: 60_000 } });
    session.share(result.store, result);
    const reason = new Error('stopped');
    setTimeout(() => controller.abort(reason), 30);
    const waits = [session.find('load', result.key), session.fetch(openStore(temporaryFolder()), result.blobs)];
    expect(await timed(async () => {
      for (const wait of waits) await expect(wait).rejects.toBe(reason);
      await session.finish();
    })).toBeLessThan(1000);
    expect(warnings).toEqual([]);
  });
});
