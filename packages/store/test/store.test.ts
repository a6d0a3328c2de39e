/** Blobs: written once, never served when damaged, and nothing left behind by a failure. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { writeFileAtomic } from '../src/durable-write.js';
import { diskError } from '../src/errors.js';
import { sha256 } from '../src/sha256.js';
import { openStore } from '../src/store.js';
import { codeOf, listing, temporaryRoots } from './temporary-root.js';

const newRoot = temporaryRoots();
const CONTENT = Buffer.from('weights of a block');
const DIGEST = sha256(CONTENT);
const BLOB = `blobs/sha256/${DIGEST.slice(0, 2)}/${DIGEST}`;

function damage(path: string, change: (path: string) => void): void {
  chmodSync(path, 0o644);
  change(path);
}

describe('putting', () => {
  it('stores bytes under their digest, read-only, and writes them once', async () => {
    const root = newRoot();
    const store = openStore(root);
    const ref = await store.putBytes(CONTENT);
    expect(ref).toEqual({ sha256: DIGEST, size: CONTENT.length });
    const before = statSync(join(root, BLOB));
    expect(before.mode & 0o777).toBe(0o444);
    await store.putBytes(CONTENT);
    expect(statSync(join(root, BLOB)).ino).toBe(before.ino);
    expect(store.bytesWritten).toBe(CONTENT.length);
    expect(readFileSync(store.pathOf(ref))).toEqual(CONTENT);
    expect(listing(join(root, 'tmp'))).toEqual([]);
  });

  it('stores an empty blob', async () => {
    const store = openStore(newRoot());
    const ref = await store.putBytes(new Uint8Array());
    expect(store.has(ref)).toBe(true);
    expect((await store.read(ref)).length).toBe(0);
  });

  it('copies a file and leaves it, moves a file by rename', async () => {
    const store = openStore(newRoot());
    const [kept, moved] = [join(store.root, 'kept'), join(store.root, 'moved')];
    writeFileSync(kept, CONTENT);
    writeFileSync(moved, 'other');
    const inode = statSync(moved).ino;
    await store.putFile(kept);
    expect(readFileSync(kept)).toEqual(CONTENT);
    const ref = await store.putFile(moved, { move: true });
    expect(existsSync(moved)).toBe(false);
    expect(statSync(store.pathOf(ref)).ino).toBe(inode);
    expect(statSync(store.pathOf(ref)).mode & 0o777).toBe(0o444);
    expect(store.bytesWritten).toBe(CONTENT.length + 5);
  });

  it('writes nothing for a file whose blob is there, and still takes a moved file', async () => {
    const store = openStore(newRoot());
    await store.putBytes(CONTENT);
    const path = join(store.root, 'again');
    writeFileSync(path, CONTENT);
    await store.putFile(path, { move: true });
    expect(existsSync(path)).toBe(false);
    expect(store.bytesWritten).toBe(CONTENT.length);
  });

  it('copies what somebody else could still write to: a symbolic link or a second name', async () => {
    const store = openStore(newRoot());
    const target = join(store.root, 'target');
    for (const [name, make] of [['symbolic', symlinkSync], ['second', linkSync]] as const) {
      writeFileSync(target, name);
      make(target, join(store.root, name));
      const ref = await store.putFile(join(store.root, name), { move: true });
      writeFileSync(target, 'changed afterwards');
      expect(Buffer.from(await store.read(ref)).toString()).toBe(name);
      expect(existsSync(join(store.root, name))).toBe(false);
    }
  });

  it('refuses folders and missing files by name', async () => {
    const store = openStore(newRoot());
    expect(await codeOf(() => store.putFile(store.root))).toBe('STORE_SOURCE_NOT_A_FILE');
    expect(await codeOf(() => store.putFile(join(store.root, 'nowhere')))).toBe('STORE_IO');
  });

  it('stops when aborted and leaves nothing', async () => {
    const store = openStore(newRoot());
    const path = join(store.root, 'large');
    writeFileSync(path, CONTENT);
    await expect(store.putFile(path, { signal: AbortSignal.abort(new Error('stopped by the user')) })).rejects.toThrow('stopped by the user');
    expect(listing(store.root)).toEqual(['large']);
  });
});

describe('reading', () => {
  it('names a missing blob, a cut blob and a changed blob', async () => {
    const store = openStore(newRoot());
    const ref = await store.putBytes(CONTENT);
    damage(store.pathOf(ref), (path) => writeFileSync(path, Buffer.alloc(CONTENT.length)));
    for (const use of [() => store.read(ref), () => store.verify(ref), () => Promise.resolve(store.pathOf(ref)), () => store.link(ref, join(store.root, 'out'))]) expect(await codeOf(use)).toBe('STORE_BLOB_CORRUPT');
    expect(store.has(ref)).toBe(false);
    damage(join(store.root, BLOB), (path) => truncateSync(path, 3));
    expect(store.has(ref)).toBe(false);
    expect(await codeOf(() => store.pathOf(ref))).toBe('STORE_BLOB_SIZE');
    rmSync(join(store.root, BLOB));
    expect(await codeOf(() => store.pathOf(ref))).toBe('STORE_BLOB_MISSING');
    expect(await codeOf(() => store.link(ref, join(store.root, 'out')))).toBe('STORE_BLOB_MISSING');
  });

  it.each([['cut', (path: string) => truncateSync(path, 3)], ['changed', (path: string) => writeFileSync(path, Buffer.alloc(CONTENT.length))]])('replaces a %s blob when its bytes are put again', async (_how, harm) => {
    const store = openStore(newRoot());
    const ref = await store.putBytes(CONTENT);
    damage(store.pathOf(ref), harm);
    await store.putBytes(CONTENT);
    await store.verify(ref);
  });

  it('takes a blob whose times were lost, and reads it once', async () => {
    const store = openStore(newRoot());
    const ref = await store.putBytes(CONTENT);
    utimesSync(store.pathOf(ref), new Date(0), new Date(0));
    expect(store.has(ref)).toBe(true);
    const { mtimeMs } = statSync(store.pathOf(ref));
    expect(Math.floor(mtimeMs / 1000), 'its date stays').toBe(0);
    expect(mtimeMs, 'and says from now on that its bytes were read').not.toBe(0);
  });

  it('a change that restores the time is found by reading', async () => {
    const store = openStore(newRoot());
    const ref = await store.putBytes(CONTENT);
    const { atime, mtimeMs } = statSync(store.pathOf(ref));
    damage(store.pathOf(ref), (path) => writeFileSync(path, Buffer.alloc(CONTENT.length)));
    utimesSync(join(store.root, BLOB), atime, mtimeMs / 1000);
    expect(await codeOf(() => store.read(ref))).toBe('STORE_BLOB_CORRUPT');
    expect(await codeOf(() => store.verify(ref))).toBe('STORE_BLOB_CORRUPT');
  });

  it('links into new folders without copying, and refuses a place that is taken', async () => {
    const store = openStore(newRoot());
    const ref = await store.putBytes(CONTENT);
    const destination = join(store.root, 'view/deep/block.weights');
    await store.link(ref, destination);
    expect(statSync(destination).ino).toBe(statSync(store.pathOf(ref)).ino);
    expect(await codeOf(() => store.link(ref, destination))).toBe('STORE_IO');
  });

  it.skipIf(!existsSync('/dev/shm'))('copies across file systems, in both directions', async () => {
    const store = openStore(newRoot());
    const ref = await store.putBytes(CONTENT);
    const folder = `/dev/shm/tundish-store-${process.pid}`;
    try {
      await store.link(ref, join(folder, 'copy'));
      expect(readFileSync(join(folder, 'copy'))).toEqual(CONTENT);
      writeFileSync(join(folder, 'incoming'), 'from elsewhere');
      const incoming = await store.putFile(join(folder, 'incoming'), { move: true });
      await store.verify(incoming);
      expect(listing(folder)).toEqual(['copy']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('does not let a digest leave its folder', async () => {
    const store = openStore(newRoot());
    expect(await codeOf(() => store.pathOf({ sha256: '../../../etc/passwd', size: 1 }))).toBe('STORE_SHA256');
  });
});

describe('scratch folders', () => {
  it('are empty, and gone after success and failure', async () => {
    const store = openStore(newRoot());
    const path = await store.withScratch(async (folder) => {
      expect(listing(folder)).toEqual([]);
      await writeFile(join(folder, 'part.data'), 'x');
      return folder;
    });
    expect(existsSync(path)).toBe(false);
    await expect(store.withScratch(() => Promise.reject(new Error('the work failed')))).rejects.toThrow('the work failed');
    expect(listing(join(store.root, 'tmp'))).toEqual([]);
  });

  it('of killed processes of this machine are removed by the next that opens the store', async () => {
    const root = newRoot();
    await expect(promisify(execFile)(process.execPath, [join(import.meta.dirname, 'store-process.mjs'), 'killed', root])).rejects.toMatchObject({ signal: 'SIGKILL' });
    const [left] = listing(join(root, 'tmp')) as [string];
    const partial = join(root, `.notes.json.${left}`);
    await writeFile(partial, '{');
    await openStore(root).removeAbandoned();
    expect(listing(join(root, 'tmp'))).toEqual([]);
    await writeFileAtomic(join(root, 'notes.json'), '{}');
    expect(existsSync(partial)).toBe(false);
  });

  it('of processes of other machines are removed after an hour, those of living ones never', async () => {
    const root = newRoot();
    const gone = 2 ** 22 + 1;
    const names = [`${gone}-old`, `${gone}-young`, `${gone}-00000000-young`, `${process.pid}-old`, 'notes'];
    for (const name of names) mkdirSync(join(root, 'tmp', name), { recursive: true });
    for (const name of names.filter((each) => !each.endsWith('young'))) utimesSync(join(root, 'tmp', name), 1, 1);
    await openStore(root).withScratch(() => Promise.resolve());
    expect(listing(join(root, 'tmp'))).toEqual([`${gone}-young`, `${gone}-00000000-young`, `${process.pid}-old`, 'notes'].sort());
  });
});

describe('disk faults', () => {
  it.skipIf(!existsSync('/dev/full'))('a full disk is named with a remedy', async () => {
    const fault = await writeFile('/dev/full', 'x').catch((error: unknown) => diskError(error, 'write a blob', '/cache/blob'));
    expect(fault).toMatchObject({ code: 'STORE_DISK_FULL', what: 'cannot write a blob', fix: 'free space, or move the cache to a larger disk' });
  });

  it('a file in the place of the root is named', async () => {
    const path = join(newRoot(), 'file');
    writeFileSync(path, '');
    expect(await codeOf(() => openStore(path).putBytes(CONTENT))).toBe('STORE_IO');
  });
});
