/** What the store takes from other machines: entries that are checked, files that are verified on their way in, entries whose files are elsewhere. */
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type ActionEntry, decodeActionEntry, encodeActionEntry } from '../src/action-entry.js';
import { type ActionCache, openActionCache } from '../src/action-cache.js';
import { actionKey } from '../src/action-key.js';
import { cachedModels, entryFolders } from '../src/entry-folders.js';
import { collectGarbage } from '../src/gc/index.js';
import type { StageManifest } from '../src/manifest.js';
import { sha256 } from '../src/sha256.js';
import { type Store, openStore } from '../src/store.js';
import { verifyEntries } from '../src/verify/verify-entries.js';
import { codeOf, listing, temporaryRoots } from './temporary-root.js';

const newRoot = temporaryRoots();
const BYTES = Buffer.from('a graph of some bytes');
const REF = { sha256: sha256(BYTES), size: BYTES.length };
const { key: KEY, fields: FIELDS } = actionKey({ stage: 'load', code: sha256('code'), options: { bits: 4 }, upstream: {} });
const MANIFEST: StageManifest = { schema: 1, stage: 'load', subject: null, outputs: [{ name: 'sub/graph.onnx', ...REF, mediaType: 'application/onnx' }], externals: [], facts: {} };
const INFO = { source: 'x', config: FIELDS, createdAt: '2026-01-02T03:04:05.000Z', inputs: {}, wallSeconds: 1, memory: { declared: null, measured: 1, of: 'unit', limit: null } } as const;
const quiet = new AbortController().signal;

function fresh(): { readonly store: Store; readonly cache: ActionCache } {
  const store = openStore(newRoot());
  return { store, cache: openActionCache(store, 'tiny') };
}

/** What a machine that built it sends. */
async function sent(): Promise<Uint8Array> {
  const { store, cache } = fresh();
  await store.putBytes(BYTES);
  await cache.publish('load', KEY, { manifest: MANIFEST, info: INFO });
  return cache.encodedEntry('load', KEY);
}

function decode(bytes: Uint8Array): ActionEntry {
  return decodeActionEntry(bytes, { key: KEY, operation: 'load' }, 'test');
}

describe('an entry of another machine', () => {
  it('is canonical JSON, and says what was published', async () => {
    const bytes = await sent();
    const entry = decode(bytes);
    expect(entry.manifest).toEqual(MANIFEST);
    expect(encodeActionEntry(entry)).toEqual(bytes);
    expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({ schema: 1, key: KEY, operation: 'load', manifest: entry.manifestText, info: entry.infoText });
  });

  const wrong: [string, (text: string) => string, string][] = [
    ['it is a page of HTML', () => '<html></html>', 'STORE_ENTRY_INVALID'],
    ['it is cut', (text) => text.slice(0, 100), 'STORE_ENTRY_INVALID'],
    ['it is of another schema', (text) => text.replace('"schema":1', '"schema":2'), 'STORE_ENTRY_INVALID'],
    ['it has a field more', (text) => text.replace('{', '{"more":1,'), 'STORE_ENTRY_INVALID'],
    ['it is of another key', (text) => text.replaceAll(KEY, sha256('other')), 'STORE_ENTRY_INVALID'],
    ['it is replayed under the key that was asked for', (text) => text.replace(`"key":"${KEY}"`, `"key":"${sha256('other')}"`), 'STORE_ENTRY_INVALID'],
    ['its sidecar is of another key', (text) => text.replace(`\\"hash\\": \\"${KEY}`, `\\"hash\\": \\"${sha256('other')}`), 'STORE_ENTRY_INVALID'],
    ['it is of another operation', (text) => text.replace('"operation":"load"', '"operation":"package"'), 'STORE_ENTRY_INVALID'],
    ['its key is not that of the fields that it lists', (text) => text.replace('\\"options.bits\\": \\"4\\"', '\\"options.bits\\": \\"8\\"'), 'STORE_ENTRY_INVALID'],
    ['its manifest names another file', (text) => text.replace(/(.*)([0-9a-f]{64})(.*"operation")/, `$1${sha256('evil')}$3`), 'STORE_ENTRY_INVALID'],
    ['its sidecar is no JSON', (text) => text.replace('"info":"{', '"info":"'), 'STORE_SIDECAR_INVALID'],
  ];
  it.each(wrong)('is refused when %s', async (_, change, code) => {
    const text = Buffer.from(await sent()).toString();
    expect(change(text)).not.toBe(text);
    expect(await codeOf(() => decode(Buffer.from(change(text))))).toBe(code);
  });
});

describe('an entry without its files', () => {
  it('is no result, but known; with its files it is one, under their names', async () => {
    const { store, cache } = fresh();
    await cache.adopt(decode(await sent()));
    expect(await cache.lookup('load', KEY)).toBeUndefined();
    expect(await cache.lookupCompleted('load', KEY)).toBeUndefined();
    expect(cache.peekManifest('load', KEY)).toEqual(MANIFEST);
    expect(listing(cache.entryPath('load', KEY))).toEqual(['builder_cache_info.json', 'stage.json']);
    expect(cache.encodedEntry('load', KEY)).toEqual(await sent());
    await store.putBytes(BYTES);
    expect(await cache.lookupCompleted('load', KEY)).toEqual(MANIFEST);
    expect(statSync(join(cache.entryPath('load', KEY), 'sub/graph.onnx')).ino).toBe(statSync(store.pathOf(REF)).ino);
    expect(await cache.lookup('load', KEY)).toEqual(MANIFEST);
  });

  it('is replaced by a whole one, and never replaces one', async () => {
    const { store, cache } = fresh();
    await cache.adopt(decode(await sent()));
    await store.putBytes(BYTES);
    await cache.publish('load', KEY, { manifest: MANIFEST, info: INFO });
    expect(await cache.lookup('load', KEY)).toEqual(MANIFEST);
    await cache.adopt(decode(await sent()));
    expect(await cache.lookup('load', KEY)).toEqual(MANIFEST);
  });

  it('may lack what others made and it only hands on, and nothing else', async () => {
    const { cache } = fresh();
    expect(await codeOf(() => cache.publish('load', KEY, { manifest: MANIFEST, info: INFO, handedOn: new Set([sha256('other')]) }))).toBe('STORE_BLOB_MISSING');
    await cache.publish('load', KEY, { manifest: MANIFEST, info: INFO, handedOn: new Set([REF.sha256]) });
    expect(cache.peekManifest('load', KEY)).toEqual(MANIFEST);
  });

  it('is nothing damaged for verify, and for gc an entry as any other', async () => {
    const { store, cache } = fresh();
    await cache.adopt(decode(await sent()));
    const report = await verifyEntries({ root: store.root, entries: cachedModels(store.root).flatMap((model) => entryFolders(store.root, model)), blobs: [], files: [], reporter: { info: () => undefined, warn: () => undefined, progress: () => undefined }, signal: quiet });
    expect(report).toMatchObject({ damage: [], entries: 1, absent: 1, files: 0 });
    const roots = { manifests: new Set<string>(), blobs: new Set<string>(), imports: new Set<string>() };
    const collect = (now: number): ReturnType<typeof collectGarbage> => collectGarbage({ root: store.root, roots, keepMs: 0, dryRun: false, now });
    expect((await collect(Date.now())).keptEntries).toBe(1);
    expect((await collect(Date.now() + 3 * 60 * 60 * 1000)).entries).toEqual([cache.entryPath('load', KEY)]);
  });
});

describe('putStream', () => {
  const stream = (...chunks: readonly Uint8Array[]): Readable => Readable.from(chunks, { objectMode: false });

  it('stores the bytes that were meant, and needs none of a blob that is here', async () => {
    const { store } = fresh();
    await store.putStream(REF, stream(BYTES.subarray(0, 5), BYTES.subarray(5)), quiet);
    expect(readFileSync(store.pathOf(REF))).toEqual(BYTES);
    await store.putStream(REF, stream(Buffer.from('other')), quiet);
    expect(readFileSync(store.pathOf(REF))).toEqual(BYTES);
  });

  it.each([
    ['other bytes', Buffer.from('b graph of some bytes')],
    ['fewer bytes', BYTES.subarray(0, 7)],
    ['no bytes', Buffer.alloc(0)],
    ['more bytes', Buffer.concat([BYTES, Buffer.from('!')])],
  ])('refuses %s and leaves nothing', async (_, bytes) => {
    const { store } = fresh();
    expect(await codeOf(() => store.putStream(REF, stream(bytes), quiet))).toBe('STORE_STREAM_DIFFERS');
    expect(store.has(REF)).toBe(false);
    expect(listing(join(store.root, 'tmp'))).toEqual([]);
  });

  it('takes no more of an endless stream than the blob has', async () => {
    const { store } = fresh();
    let given = 0;
    const endless = new Readable({ read() { given += 1024; this.push(Buffer.alloc(1024)); } });
    expect(await codeOf(() => store.putStream(REF, endless, quiet))).toBe('STORE_STREAM_DIFFERS');
    expect(endless.destroyed).toBe(true);
    expect(given).toBeLessThan(1024 * 1024);
  });

  it('ends with an abort, also while nothing comes, and with the error of the stream', async () => {
    const { store } = fresh();
    const silent = new Readable({ read: () => undefined });
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    await expect(store.putStream(REF, silent, controller.signal)).rejects.toBe(reason);
    expect(silent.destroyed).toBe(true);
    const broken = new Readable({ read() { this.destroy(new Error('cut off')); } });
    await expect(store.putStream(REF, broken, quiet)).rejects.toThrow('cut off');
    expect(listing(join(store.root, 'tmp'))).toEqual([]);
  });

  it('replaces a blob that was written to', async () => {
    const { store } = fresh();
    await store.putBytes(BYTES);
    const path = store.pathOf(REF);
    chmodSync(path, 0o644);
    writeFileSync(path, 'x'.repeat(BYTES.length));
    expect(store.has(REF)).toBe(false);
    await store.putStream(REF, stream(BYTES), quiet);
    await store.verify(REF);
  });
});
