/** The entries of a server: found in memory, read and written on disk, evicted when a pool is full. */
import { constants, rmSync } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BlobRef, makeFolder, sha256File, uniqueSuffix } from '@tundish/store';
import { cacheError } from '../errors.js';
import { lockFolder } from './folder-lock.js';
import { KeyLocks } from './key-locks.js';
import { type EntryName, type Kind, type Space, TRUSTED, bodyPath, idOf, recordPath } from './layout.js';
import { type Held, Pool } from './pool.js';
import { entriesLostAtRestart } from './machine-restart.js';
import { type EntryRecord, readRecord, writeRecord } from './record.js';
import { findEntries } from './scan.js';
import { SmallBodies } from './small-bodies.js';
import { Upload } from './upload.js';

export interface StoreLimits {
  /** Bytes of disk for the trusted entries. */
  readonly trustedQuota: number;
  /** Bytes of disk for the entries of all namespaces together. */
  readonly namespacesQuota: number;
}

/** What the store tells beside its results. */
export interface StoreEvents {
  warn(message: string): void;
  evicted(kind: Kind, bytes: number): void;
}

/** A body that can be read; `close` it. */
export interface OpenEntry {
  readonly held: Held;
  readonly file: FileHandle;
  /** Which file it is. */
  readonly ino: number;
}

/** Uses less apart than this are not written to disk one by one. */
const SAVE_MS = 60_000;
/** Smallest step between two uses, in milliseconds, that a time stamp still tells apart. */
const STEP_MS = 0.002;

export class EntryStore {
  readonly trusted: Pool;
  readonly namespaces: Pool;
  readonly small = new SmallBodies();
  readonly #locks = new KeyLocks();
  #lastUse = 0;

  private constructor(
    readonly root: string,
    limits: StoreLimits,
    readonly events: StoreEvents,
    readonly unlock: () => Promise<void>,
  ) {
    this.trusted = new Pool(limits.trustedQuota);
    this.namespaces = new Pool(limits.namespacesQuota);
  }

  /** Takes the folder, removes what a killed server left and finds the entries. @throws CACHE_FOLDER_BUSY, CACHE_FOLDER */
  static async open(root: string, limits: StoreLimits, events: StoreEvents): Promise<EntryStore> {
    try {
      await makeFolder(root);
      const store = new EntryStore(root, limits, events, await lockFolder(root));
      await rm(store.#temporaryFolder, { recursive: true, force: true });
      await makeFolder(store.#temporaryFolder);
      const found = findEntries(root, (half) => rmSync(half, { force: true })).map((entry) => ({ ...entry, savedAt: entry.usedAt }));
      for (const held of found) store.#poolOf(held.name.space).add(held);
      for (const held of await entriesLostAtRestart(root, found)) await store.dropDamaged(held, 'its bytes were lost when the machine went down');
      await store.#remove([...store.trusted.shrink(), ...store.namespaces.shrink()].map(({ name }) => name));
      return store;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
      throw cacheError('CACHE_FOLDER', { what: 'the folder of the cache server cannot be used', why: (cause as Error).message, evidence: { path: root }, fix: 'give this user the right to write there, or choose another folder with --dir', cause });
    }
  }

  /** The first of the spaces that has an entry. */
  find(view: readonly Space[], kind: Kind, key: string): Held | undefined {
    for (const space of view) {
      const held = this.#poolOf(space).get({ space, kind, key });
      if (held !== undefined) return held;
    }
    return undefined;
  }

  /** Counts as a use. Later uses go later, also within one tick of the clock. */
  use(held: Held): void {
    this.#lastUse = Math.max(Date.now(), this.#lastUse + STEP_MS);
    this.#poolOf(held.name.space).touch(held, this.#lastUse);
    if (held.usedAt - held.savedAt > SAVE_MS) void this.#saveUse(held);
  }

  /** Counts as a use of the blobs that an entry names, later than that of the entry, also on the disk. */
  useBlobs(entry: Held, blobs: readonly BlobRef[], view: readonly Space[]): void {
    for (const { sha256 } of blobs) {
      const held = this.find(view, 'cas', sha256);
      if (held === undefined) continue;
      this.use(held);
      if (held.savedAt <= entry.savedAt) void this.#saveUse(held);
    }
  }

  /** Opens a body; undefined when it is gone or was cut, after which the entry is too. */
  async openBody(held: Held): Promise<OpenEntry | undefined> {
    const file = await this.#openFile(held);
    if (file === undefined) return undefined;
    try {
      const found = await file.stat();
      if (found.isFile() && found.size === held.size) return { held, file, ino: found.ino };
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    await this.dropDamaged(held, 'its file was cut or replaced');
    return undefined;
  }

  /** Whether the body is still the file that it was. */
  async isFile(held: Held, ino: number): Promise<boolean> {
    const found = await lstat(bodyPath(this.root, held.name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    return found?.ino === ino && found.size === held.size;
  }

  /** Whether an entry is still on the disk. */
  async isThere(held: Held): Promise<boolean> {
    const entry = await this.openBody(held);
    await entry?.file.close();
    return entry !== undefined;
  }

  record(held: Held): Promise<EntryRecord | undefined> {
    return readRecord(recordPath(this.root, held.name));
  }

  async dropDamaged(held: Held, why: string): Promise<void> {
    // Somebody else may have noticed, and a good one may have come since.
    if (this.#poolOf(held.name.space).get(held.name) !== held) return;
    this.events.warn(`removed ${idOf(held.name)}: ${why}`);
    await this.#remove([held.name]);
  }

  /** @returns undefined when the quota has no room for `size` bytes; else it ends in `commit` or `discard` */
  async begin(space: Space, size: number): Promise<Upload | undefined> {
    const pool = this.#poolOf(space);
    const gone = pool.reserve(size);
    if (gone === undefined) return undefined;
    try {
      for (const { name, size: bytes } of gone) this.events.evicted(name.kind, bytes);
      await this.#remove(gone.map(({ name }) => name));
      return await Upload.begin(this.#temporaryPath(), () => pool.release(size));
    } catch (error) {
      pool.release(size);
      throw error;
    }
  }

  /**
   * Gives a finished body its name, unless one of `view` has the key.
   *
   * @returns what the key held before, `same` bytes or `other`, in which case nothing is written
   */
  async commit(upload: Upload, name: EntryName, view: readonly Space[], record: EntryRecord): Promise<'stored' | 'same' | 'other'> {
    return this.#locks.run(lockOf(name), async () => {
      const before = this.find(view, name.kind, name.key);
      if (before !== undefined) {
        const same = name.kind === 'cas' || (await this.record(before))?.sha256 === record.sha256;
        await upload.discard();
        return same ? 'same' : 'other';
      }
      await upload.close();
      const path = bodyPath(this.root, name);
      await makeFolder(dirname(path));
      await writeRecord(recordPath(this.root, name), this.#temporaryPath(), record);
      await rename(upload.path, path).catch(async (error: unknown) => {
        await rm(recordPath(this.root, name), { force: true });
        throw error;
      });
      const pool = this.#poolOf(name.space);
      upload.release();
      const held = { name, size: record.size, usedAt: 0, savedAt: Date.now() };
      pool.add(held);
      this.use(held);
      return 'stored';
    });
  }

  /** sha256 of a body as it is on the disk. */
  digest(held: Held): Promise<string> {
    return sha256File(bodyPath(this.root, held.name));
  }

  /** Writes what is only in memory, and gives the folder back. */
  async close(): Promise<void> {
    for (const held of [...this.trusted.values(), ...this.namespaces.values()]) if (held.usedAt > held.savedAt) await this.#saveUse(held);
    await this.unlock();
  }

  async #openFile(held: Held): Promise<FileHandle | undefined> {
    try {
      return await open(bodyPath(this.root, held.name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ELOOP') await this.dropDamaged(held, 'a symbolic link is in its place');
      else if (code !== 'ENOENT') throw error;
      // Somebody removed it: purge, or a person.
      else this.#poolOf(held.name.space).drop(held.name);
      return undefined;
    }
  }

  async #saveUse(held: Held): Promise<void> {
    const saved = held.usedAt;
    held.savedAt = saved;
    await utimes(bodyPath(this.root, held.name), saved / 1000, saved / 1000).catch(() => undefined);
  }

  /** Bodies first: a record alone is removed at the next start. */
  async #remove(gone: readonly EntryName[]): Promise<void> {
    for (const name of gone) {
      this.#poolOf(name.space).drop(name);
      this.small.drop(name);
    }
    for (const name of gone) {
      await this.#locks.run(lockOf(name), async () => {
        // It has come again meanwhile.
        if (this.#poolOf(name.space).get(name) !== undefined) return;
        await rm(bodyPath(this.root, name), { recursive: true, force: true });
        await rm(recordPath(this.root, name), { force: true });
      });
    }
  }

  #poolOf(space: Space): Pool {
    return space === TRUSTED ? this.trusted : this.namespaces;
  }

  get #temporaryFolder(): string {
    return join(this.root, 'tmp');
  }

  #temporaryPath(): string {
    return join(this.#temporaryFolder, uniqueSuffix());
  }
}

/** One change of a key at a time, whoever's it is. */
function lockOf({ kind, key }: EntryName): string {
  return `${kind}/${key}`;
}
