/** Content-addressed blobs: `blobs/sha256/ab/<hex>`, immutable, each written at most once. */
import { statSync } from 'node:fs';
import type { BigIntStats, Stats } from 'node:fs';
import { chmod, link, lstat, mkdtemp, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { printable } from '@tundish/diagnostics';
import { blobPath } from './blob-path.js';
import { copyBlob } from './copy-blob.js';
import { writeThenPlace } from './durable-write.js';
import { diskError, errnoOf, storeError } from './errors.js';
import { makeFolder } from './make-folder.js';
import type { BlobRef } from './manifest.js';
import { uniqueSuffix } from './process-mark.js';
import { isSealed, resealed, sealedTime } from './seal.js';
import { isSha256, sha256, sha256File, sha256Handle } from './sha256.js';
import { prepareTemporaryFolder, removeAbandoned } from './temporary-folder.js';
import { fillVerified } from './verified-stream.js';

/** Errors of link(2) after which a copy is the answer: other device, no links on this file system, too many links. */
const LINK_IMPOSSIBLE = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']);

/** How often and how long a blob that is missing is waited for. */
const RETURN_ATTEMPTS = 5;
const RETURN_MS = 20;

export interface PutFileOptions {
  /** The file belongs to the store afterwards: it is renamed when it lies on the same file system, and always gone. */
  readonly move?: boolean;
  readonly signal?: AbortSignal;
}

export interface Store {
  /** Absolute path of the cache root. */
  readonly root: string;
  /** Bytes of blobs that this instance added; a blob that was there counts nothing. */
  readonly bytesWritten: number;
  putBytes(bytes: Uint8Array): Promise<BlobRef>;
  /** @throws STORE_SOURCE_CHANGED when the file changes meanwhile */
  putFile(path: string, options?: PutFileOptions): Promise<BlobRef>;
  /**
   * Takes bytes that must be those of `ref`; nothing is left behind when they are not.
   *
   * @throws STORE_STREAM_DIFFERS, the reason of `signal`, the error of the stream
   */
  putStream(ref: BlobRef, stream: Readable, signal: AbortSignal): Promise<void>;
  /** Whether the blob is there, with the right size and not written to since; one that was is read, and may have the right bytes. */
  has(ref: BlobRef): boolean;
  /**
   * Absolute path of a blob, to read or map.
   *
   * @throws STORE_BLOB_MISSING, STORE_BLOB_SIZE, STORE_BLOB_CORRUPT
   */
  pathOf(ref: BlobRef): string;
  /** The bytes of a blob, digest verified. For small ones; large ones are mapped by `pathOf`. */
  read(ref: BlobRef): Promise<Uint8Array>;
  /** Puts a blob at `destination` (which must not exist) as a hard link; as a copy where links are impossible. */
  link(ref: BlobRef, destination: string): Promise<void>;
  /** @throws STORE_BLOB_CORRUPT when the bytes do not have the digest */
  verify(ref: BlobRef, signal?: AbortSignal): Promise<void>;
  /** Removes what killed processes of this machine left; a store that cannot be written is left as it is. */
  removeAbandoned(): Promise<void>;
  /** Runs `use` with a new empty folder on the file system of the store; the folder is removed afterwards, also after a failure. */
  withScratch<T>(use: (folder: string) => Promise<T>): Promise<T>;
}

/** Opens a store; nothing is read or written until it is used. */
export function openStore(root: string): Store {
  return new BlobStore(resolve(root));
}

class BlobStore implements Store {
  #written = 0;
  #temporary: Promise<string> | undefined;

  constructor(readonly root: string) {}

  get bytesWritten(): number {
    return this.#written;
  }

  async putBytes(bytes: Uint8Array): Promise<BlobRef> {
    const ref = { sha256: sha256(bytes), size: bytes.length };
    if (await this.#isStill(ref)) return ref;
    await this.#add(ref, (file) => file.writeFile(bytes));
    return ref;
  }

  async putFile(path: string, options: PutFileOptions = {}): Promise<BlobRef> {
    try {
      const before = await stat(path);
      if (!before.isFile()) throw storeError('STORE_SOURCE_NOT_A_FILE', { what: 'only a regular file can become a blob', evidence: { path } });
      const ref = { sha256: await sha256File(path, options.signal), size: before.size };
      if (!(await this.#isStill(ref))) await this.#addFile(path, ref, before, options);
      if (options.move === true) await rm(path, { force: true });
      return ref;
    } catch (error) {
      throw diskError(error, 'put a file into the store', path);
    }
  }

  async putStream(ref: BlobRef, stream: Readable, signal: AbortSignal): Promise<void> {
    if (await this.#isStill(ref)) stream.destroy();
    else await this.#add(ref, (file) => fillVerified(file, ref, stream, signal));
  }

  has(ref: BlobRef): boolean {
    const found = this.#look(ref);
    return found !== undefined && Number(found.size) === ref.size && this.#isUntouched(ref, found);
  }

  pathOf(ref: BlobRef): string {
    const found = this.#look(ref);
    const size = found === undefined ? undefined : Number(found.size);
    const path = this.#blobPath(ref);
    if (found !== undefined && size === ref.size && this.#isUntouched(ref, found)) return path;
    const fix = 'run the stage that made it again: it is rebuilt when its cache entry is incomplete';
    if (size === undefined || this.#look(ref) === undefined) throw storeError('STORE_BLOB_MISSING', { what: `blob ${ref.sha256} is not in the store`, why: 'it was removed, or the manifest that names it comes from another machine', evidence: { path }, fix });
    if (size === ref.size) throw this.#corrupt(ref, 'it was written to after it was stored');
    throw storeError('STORE_BLOB_SIZE', { what: `blob ${ref.sha256} has ${size} bytes instead of ${ref.size}`, why: 'the file was cut or changed after it was stored', evidence: { path }, fix });
  }

  async read(ref: BlobRef): Promise<Uint8Array> {
    const path = this.pathOf(ref);
    try {
      const bytes = await readFile(path);
      this.#checkDigest(ref, sha256(bytes));
      return bytes;
    } catch (error) {
      throw diskError(error, 'read a blob', path);
    }
  }

  async link(ref: BlobRef, destination: string): Promise<void> {
    // gc may hold a blob in its hands for a moment; it puts back what was asked for meanwhile.
    for (let attempt = 0; attempt < RETURN_ATTEMPTS && !(await this.#isStill(ref)); attempt++) await wait(RETURN_MS);
    const path = this.pathOf(ref);
    try {
      await makeFolder(dirname(destination));
      await link(path, destination).catch(async (error: unknown) => {
        if (!LINK_IMPOSSIBLE.has(errnoOf(error) ?? '')) throw error;
        await copyBlob(path, destination);
      });
    } catch (error) {
      throw diskError(error, 'link a blob', destination);
    }
  }

  async verify(ref: BlobRef, signal?: AbortSignal): Promise<void> {
    this.#checkDigest(ref, await sha256File(this.pathOf(ref), signal));
  }

  async removeAbandoned(): Promise<void> {
    await removeAbandoned(join(this.root, 'tmp'), '').catch(() => undefined);
  }

  async withScratch<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(await this.#temporaryFolder(), `${uniqueSuffix()}-`)).catch((error: unknown) => {
      throw diskError(error, 'make a scratch folder', this.root);
    });
    try {
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** As `has`; a blob that is there counts as used now, so that gc leaves it to whoever is about to refer to it. */
  async #isStill(ref: BlobRef): Promise<boolean> {
    if (!this.has(ref)) return false;
    // A blob of another user, or of a store that cannot be written, is there all the same.
    return utimes(this.#blobPath(ref), new Date(), sealedTime(ref.sha256, Date.now())).then(() => true, (error: unknown) => errnoOf(error) !== 'ENOENT');
  }

  #blobPath(ref: BlobRef): string {
    if (!isSha256(ref.sha256)) throw storeError('STORE_SHA256', { what: 'a blob is named by 64 lower-case hexadecimal digits', evidence: { detail: printable(String(ref.sha256)) } });
    return blobPath(this.root, ref.sha256);
  }

  #look(ref: BlobRef): BigIntStats | undefined {
    const path = this.#blobPath(ref);
    try {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false });
      return found?.isFile() === true ? found : undefined;
    } catch (error) {
      throw diskError(error, 'look for a blob', path);
    }
  }

  #isUntouched(ref: BlobRef, { mtimeNs, mtimeMs }: BigIntStats): boolean {
    const path = this.#blobPath(ref);
    try {
      return isSealed(ref.sha256, mtimeNs) || resealed(path, ref.sha256, Number(mtimeMs));
    } catch (error) {
      // gc has taken it away since it was looked at.
      if (errnoOf(error) === 'ENOENT') return false;
      throw diskError(error, 'look at a blob', path);
    }
  }

  /** A rename when the caller gives the file away and it lies on our file system, else a copy that is verified while it is made. */
  async #addFile(path: string, ref: BlobRef, before: Stats, options: PutFileOptions): Promise<void> {
    if (options.move === true && (await this.#adopt(path, ref, before))) return;
    const source = await open(path, 'r');
    try {
      await this.#add(ref, async (file) => {
        const copied = await sha256Handle(source, options.signal, (chunk) => file.writeFile(chunk));
        if (copied !== ref.sha256) throw sourceChanged(path);
      });
    } finally {
      await source.close();
    }
  }

  /** @returns false when a rename is impossible: another file system, a symbolic link, or a file that has other names too */
  async #adopt(path: string, ref: BlobRef, before: Stats): Promise<boolean> {
    const own = await lstat(path);
    if (!own.isFile() || own.nlink > 1) return false;
    await this.#makeRoom(ref);
    await chmod(path, 0o444);
    const file = await open(path, 'r');
    try {
      await file.sync();
      const now = await file.stat();
      if (now.size !== before.size || now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) throw sourceChanged(path);
    } finally {
      await file.close();
    }
    try {
      await this.#install(path, ref);
    } catch (error) {
      if (errnoOf(error) === 'EXDEV') return false;
      throw error;
    }
    return true;
  }

  async #add(ref: BlobRef, fill: (file: FileHandle) => Promise<void>): Promise<void> {
    const blob = this.#blobPath(ref);
    try {
      await this.#makeRoom(ref);
      const temporary = join(await this.#temporaryFolder(), uniqueSuffix());
      await writeThenPlace(temporary, 0o444, fill, () => this.#install(temporary, ref));
    } catch (error) {
      throw diskError(error, `write a blob of ${ref.size} bytes`, blob);
    }
  }

  async #makeRoom(ref: BlobRef): Promise<void> {
    await makeFolder(dirname(this.#blobPath(ref)));
  }

  /**
   * Gives a complete file the name of its blob. A blob that is whole is never replaced, though the bytes would be the same:
   * another process may be linking to it, and link(2) fails on a file whose last name has just gone.
   */
  async #install(file: string, ref: BlobRef): Promise<void> {
    const blob = this.#blobPath(ref);
    await utimes(file, new Date(), sealedTime(ref.sha256, Date.now()));
    const isNew = await link(file, blob).then(() => true, (error: unknown) => {
      const errno = errnoOf(error) ?? '';
      if (errno === 'EEXIST' || LINK_IMPOSSIBLE.has(errno)) return false;
      throw error;
    });
    if (!isNew && (await this.#isStill(ref))) return rm(file);
    await (isNew ? rm(file) : rename(file, blob));
    this.#written += ref.size;
  }

  /** Made once per instance; what killed processes left there is removed on that occasion. */
  #temporaryFolder(): Promise<string> {
    this.#temporary ??= prepareTemporaryFolder(join(this.root, 'tmp')).catch((error: unknown) => {
      this.#temporary = undefined;
      throw diskError(error, 'make the folder for temporary files', this.root);
    });
    return this.#temporary;
  }

  #checkDigest(ref: BlobRef, found: string): void {
    if (found !== ref.sha256) throw this.#corrupt(ref, `its content has digest ${found}`);
  }

  #corrupt(ref: BlobRef, why: string): Error {
    return storeError('STORE_BLOB_CORRUPT', { what: `blob ${ref.sha256} holds other bytes`, why, evidence: { path: this.#blobPath(ref) }, fix: 'delete that file and run the stage that made it again; check the disk' });
  }
}

function sourceChanged(path: string): Error {
  return storeError('STORE_SOURCE_CHANGED', { what: 'a file changed while it was put into the store', evidence: { path }, fix: 'let nothing write to it and run again' });
}
