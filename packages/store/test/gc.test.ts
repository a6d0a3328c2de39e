/** Garbage collection: what goes, what stays, and what happens when somebody uses a thing at the very moment. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openActionCache } from '../src/action-cache.js';
import { collectGarbage } from '../src/gc/collect-garbage.js';
import { type GcRoots, planCollection } from '../src/gc/plan-collection.js';
import { scanStore } from '../src/gc/scan-store.js';
import { sweep } from '../src/gc/sweep.js';
import { type StageManifest, manifestDigest } from '../src/manifest.js';
import { sha256 } from '../src/sha256.js';
import { openStore } from '../src/store.js';
import { listing, temporaryRoots } from './temporary-root.js';

const newRoot = temporaryRoots();
const DAY = 24 * 60 * 60 * 1000;
const NO_ROOTS: GcRoots = { manifests: new Set(), blobs: new Set(), imports: new Set() };

/** A store whose entries and blobs were last used some days ago. */
class AgedStore {
  readonly root = newRoot();
  readonly store = openStore(this.root);
  readonly cache = openActionCache(this.store, 'llama32');

  /** An entry with one output of 1000 bytes for each word. */
  async publish(key: string, words: readonly string[], days: number, externals: readonly string[] = []): Promise<StageManifest> {
    const outputs = await Promise.all(words.map(async (word) => ({ name: word, mediaType: 'x/y', ...(await this.store.putBytes(content(word))) })));
    const manifest: StageManifest = { schema: 1, stage: 'load', subject: null, outputs, externals: externals.map((word) => ({ location: word, sha256: sha256(content(word)), size: 1000 })), facts: { key } };
    await this.cache.publish('load', sha256(key), { manifest, info: { source: 's', config: {}, createdAt: '', inputs: {}, wallSeconds: 0, memory: { declared: null, measured: 0, of: 'unit', limit: null } } });
    this.age(join(this.entry(key), 'builder_cache_info.json'), days);
    for (const word of words) this.age(this.blob(word), days);
    return manifest;
  }

  entry(key: string): string {
    return this.cache.entryPath('load', sha256(key));
  }

  blob(word: string): string {
    const digest = sha256(content(word));
    return join(this.root, 'blobs', 'sha256', digest.slice(0, 2), digest);
  }

  age(path: string, days: number): void {
    const time = new Date(Date.now() - days * DAY);
    utimesSync(path, time, time);
  }

  /** Which of these blobs are there. */
  present(...words: string[]): string[] {
    return words.filter((word) => existsSync(this.blob(word)));
  }

  collect(change: Partial<Parameters<typeof collectGarbage>[0]> = {}): ReturnType<typeof collectGarbage> {
    return collectGarbage({ root: this.root, roots: NO_ROOTS, keepMs: 7 * DAY, now: Date.now(), dryRun: false, ...change });
  }
}

function content(word: string): Buffer {
  return Buffer.alloc(1000, word);
}

describe('collectGarbage', () => {
  it('removes what was not used for so long, with the blobs that only it had', async () => {
    const aged = new AgedStore();
    await aged.publish('old', ['a', 'shared'], 8);
    await aged.publish('recent', ['b', 'shared'], 6);
    const dry = await aged.collect({ dryRun: true });
    expect(aged.present('a', 'b', 'shared')).toEqual(['a', 'b', 'shared']);
    const report = await aged.collect();
    expect(report).toEqual(dry);
    expect(report).toMatchObject({ entries: [aged.entry('old')], blobs: [sha256(content('a'))], keptEntries: 1 });
    expect(report.freedBytes).toBeGreaterThan(1000);
    expect(aged.present('a', 'b', 'shared')).toEqual(['b', 'shared']);
    expect(listing(join(aged.root, 'tmp'))).toEqual([]);
    expect(await aged.collect()).toMatchObject({ entries: [], blobs: [], freedBytes: 0, keptBytes: report.keptBytes });
  });

  it('keeps whatever a root needs, whatever the limits', async () => {
    const aged = new AgedStore();
    const manifest = await aged.publish('root', ['a'], 90, ['weights']);
    await aged.store.putBytes(content('weights'));
    await aged.store.putBytes(content('in a container'));
    for (const word of ['weights', 'in a container']) aged.age(aged.blob(word), 90);
    await aged.publish('other', ['b'], 90);
    const roots = { ...NO_ROOTS, manifests: new Set([manifestDigest(manifest)]), blobs: new Set([sha256(content('in a container'))]) };
    const report = await aged.collect({ roots, keepMs: 0, maxBytes: 0 });
    expect(report.entries).toEqual([aged.entry('other')]);
    expect(aged.present('a', 'b', 'weights', 'in a container')).toEqual(['a', 'weights', 'in a container']);
    expect(report.keptBytes).toBeGreaterThan(3000);
  });

  it('removes the least recently used first, until the store has the size', async () => {
    const aged = new AgedStore();
    for (const [days, word] of ['1', '2', '3', '4'].entries()) await aged.publish(word, [word], days + 1);
    const all = await aged.collect({ dryRun: true });
    const report = await aged.collect({ maxBytes: all.keptBytes - 2000 });
    expect(report.entries.toSorted()).toEqual([aged.entry('3'), aged.entry('4')].toSorted());
    expect(report.keptBytes).toBeLessThanOrEqual(all.keptBytes - 2000);
    expect(aged.present('1', '2', '3', '4')).toEqual(['1', '2']);
  });

  it('counts a lookup as use, and leaves alone what was used in the last hour', async () => {
    const aged = new AgedStore();
    await aged.publish('served', ['a'], 30);
    await aged.publish('forgotten', ['b'], 30);
    expect(await aged.cache.lookup('load', sha256('served'))).toBeDefined();
    const report = await aged.collect({ keepMs: 0, maxBytes: 0 });
    expect(report.entries).toEqual([aged.entry('forgotten')]);
    expect(await aged.cache.lookup('load', sha256('served'))).toBeDefined();
  });

  it('removes blobs without an entry, damaged entries and old imports, and keeps the import of a model', async () => {
    const aged = new AgedStore();
    await aged.publish('damaged', ['a'], 30);
    truncateSync(join(aged.entry('damaged'), 'stage.json'), 5);
    aged.age(join(aged.entry('damaged'), 'builder_cache_info.json'), 0.5);
    await aged.store.putBytes(content('alone'));
    aged.age(aged.blob('alone'), 1);
    for (const name of ['used', 'unused']) {
      mkdirSync(join(aged.root, 'imports', name), { recursive: true });
      writeFileSync(join(aged.root, 'imports', name, 'import.json'), '{}');
      aged.age(join(aged.root, 'imports', name, 'import.json'), 30);
    }
    const report = await aged.collect({ roots: { ...NO_ROOTS, imports: new Set(['used']) } });
    expect(report).toMatchObject({ entries: [aged.entry('damaged')], imports: [join(aged.root, 'imports', 'unused')] });
    expect(aged.present('a', 'alone')).toEqual([]);
    expect(readdirSync(join(aged.root, 'imports'))).toEqual(['used']);
  });

  it('removes temporary files of dead processes, and protects what a living one may be using', async () => {
    const aged = new AgedStore();
    await aged.publish('input', ['a'], 3 / 24);
    const alive = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    const dead = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => dead.on('close', resolve));
    for (const pid of [alive.pid, dead.pid]) {
      mkdirSync(join(aged.root, 'tmp', `${pid}-x`));
      aged.age(join(aged.root, 'tmp', `${pid}-x`), 4 / 24);
    }
    const report = await aged.collect({ keepMs: 0 });
    expect(report).toMatchObject({ entries: [], temporaries: [join(aged.root, 'tmp', `${dead.pid}-x`)] });
    expect(readdirSync(join(aged.root, 'tmp'))).toEqual([`${alive.pid}-x`]);
    alive.kill();
    rmSync(join(aged.root, 'tmp', `${alive.pid}-x`), { recursive: true });
    expect((await aged.collect({ keepMs: 0 })).entries).toEqual([aged.entry('input')]);
  });

  it('has nothing to do where there is no store', async () => {
    const root = join(newRoot(), 'nowhere');
    const report = await collectGarbage({ root, roots: NO_ROOTS, keepMs: 0, now: Date.now(), dryRun: true });
    expect(report).toMatchObject({ entries: [], blobs: [], freedBytes: 0, keptBytes: 0 });
    expect(existsSync(root)).toBe(false);
  });
});

describe('between the decision and the removal', () => {
  /** Decides, lets `meanwhile` happen, and removes. */
  async function interrupted(aged: AgedStore, meanwhile: () => Promise<unknown>): ReturnType<typeof sweep> {
    const scan = await scanStore(aged.root);
    const plan = planCollection(scan, { roots: NO_ROOTS, keepMs: 0, now: Date.now() }, () => 1000);
    await meanwhile();
    return sweep(aged.root, { ...plan, blobs: scan.blobs.filter((digest) => !plan.needed.has(digest)), known: scan.entries });
  }

  it('an entry that is served stays, with its blobs', async () => {
    const aged = new AgedStore();
    await aged.publish('k', ['a'], 30);
    const swept = await interrupted(aged, () => aged.cache.lookup('load', sha256('k')));
    expect(swept).toMatchObject({ entries: [], blobs: [] });
    expect(await aged.cache.lookup('load', sha256('k'))).toBeDefined();
  });

  it('an entry that is published stays, with a blob that lay there forgotten', async () => {
    const aged = new AgedStore();
    await aged.store.putBytes(content('a'));
    aged.age(aged.blob('a'), 30);
    const before = statSync(aged.blob('a')).ino;
    const swept = await interrupted(aged, () => aged.publish('k', ['a'], 30));
    expect(swept.blobs).toEqual([]);
    expect(statSync(aged.blob('a')).ino).toBe(before);
    expect(await aged.cache.lookup('load', sha256('k'))).toBeDefined();
  });

  it('a blob that is put stays, though no entry names it yet', async () => {
    const aged = new AgedStore();
    await aged.publish('k', ['a', 'b'], 30);
    const swept = await interrupted(aged, () => aged.store.putBytes(content('a')));
    expect(swept.entries).toHaveLength(1);
    expect(aged.present('a', 'b')).toEqual(['a']);
    expect(readFileSync(aged.blob('a'))).toEqual(content('a'));
  });
});

it('publishes entries from forgotten blobs while another process collects them, and all are whole', async () => {
  const aged = new AgedStore();
  for (let i = 0; i < 250; i++) {
    const { sha256: digest } = await aged.store.putBytes(Buffer.from(`forgotten ${i}`));
    aged.age(join(aged.root, 'blobs', 'sha256', digest.slice(0, 2), digest), 30);
  }
  const run = async (job: string, until: number): Promise<Record<string, number>> => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'store-process.mjs'), job, aged.root, String(until)]);
    return JSON.parse(stdout) as Record<string, number>;
  };
  const [mine, theirs, collected] = await Promise.all([run('revive', 0), run('revive', 0), run('collect', Date.now() + 1200)]);
  expect([mine, theirs]).toEqual([{ whole: 250 }, { whole: 250 }]);
  expect(collected['removed']).toBeGreaterThan(0);
});
