/** Remembers digests of large files by their identity on disk, so that an unchanged checkpoint is not read twice. */
import { readFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import type { Reporter } from '@tundish/diagnostics';
import { writeFileAtomic } from './durable-write.js';
import { diskError, storeError } from './errors.js';
import type { BlobRef } from './manifest.js';
import { sha256, sha256Handle } from './sha256.js';

/** A change within the clock tick of the digest would not change the times: such a file is not remembered. */
const RACY_NS = 2_000_000_000n;

/** Oldest entries beyond this are forgotten. */
const MAX_ENTRIES = 4096;

/** Any write to a file changes its ctime, which programs cannot set back. */
type Entry = readonly [size: string, mtimeNs: string, ctimeNs: string, sha256: string];

export interface FileDigests {
  /**
   * Digest and size of a file; from memory when device, inode, size, mtime and ctime are those of the last digest.
   *
   * @throws STORE_SOURCE_CHANGED when the file changes while it is read
   */
  digest(path: string, signal?: AbortSignal): Promise<BlobRef>;
  /**
   * The digests of many files one after the other, in their order, with progress over the bytes that must be read.
   *
   * @throws as `digest`
   */
  each(paths: readonly string[], reporter: Reporter, signal?: AbortSignal): AsyncIterable<BlobRef>;
  /** Writes what is new to disk. Without it, or when another process writes at the same time, an entry may be forgotten. */
  save(): Promise<void>;
}

/** Opens the memo kept below a cache root; a damaged memo counts as empty. */
export function openFileDigests(root: string): FileDigests {
  return new DigestMemo(join(root, 'file-digests.json'));
}

class DigestMemo implements FileDigests {
  readonly #path: string;
  readonly #entries: Map<string, Entry>;
  readonly #added = new Map<string, Entry>();

  constructor(path: string) {
    this.#path = path;
    this.#entries = readEntries(path);
  }

  digest(path: string, signal?: AbortSignal): Promise<BlobRef> {
    return this.#digest(path, () => undefined, signal);
  }

  async *each(paths: readonly string[], reporter: Reporter, signal?: AbortSignal): AsyncGenerator<BlobRef> {
    const sizes = new Map<string, number>();
    for (const path of paths) sizes.set(path, await this.#bytesToRead(path));
    const unread = [...sizes.values()].filter((size) => size > 0);
    const bytes = { done: 0, total: unread.reduce((sum, size) => sum + size, 0) };
    const report = (done: number): void => reporter.progress({ work: 'hash', label: 'files', done, total: unread.length, bytes: { ...bytes } });
    let done = 0;
    for (const path of paths) {
      const isNew = (sizes.get(path) ?? 0) > 0;
      const onBytes = (count: number): void => {
        bytes.done += count;
        report(done);
      };
      if (isNew) report(done);
      const ref = await this.#digest(path, onBytes, signal);
      if (isNew) report(++done);
      yield ref;
    }
  }

  /** 0 for a file whose digest is remembered, and for one that cannot be looked at: `digest` will say why. */
  async #bytesToRead(path: string): Promise<number> {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    if (found === undefined) return 0;
    const known = this.#entries.get(identityOf(found));
    return known !== undefined && isSame(known, found) ? 0 : Number(found.size);
  }

  async #digest(path: string, onBytes: (count: number) => void, signal?: AbortSignal): Promise<BlobRef> {
    const file = await open(path, 'r').catch((error: unknown) => {
      throw diskError(error, 'open a file to digest it', path);
    });
    try {
      const before = await file.stat({ bigint: true });
      if (!before.isFile()) throw storeError('STORE_SOURCE_NOT_A_FILE', { what: 'only a regular file has a digest', evidence: { path } });
      const known = this.#entries.get(identityOf(before));
      if (known !== undefined && isSame(known, before)) return { sha256: known[3], size: Number(before.size) };
      const started = BigInt(Date.now()) * 1_000_000n;
      const digest = await sha256Handle(file, signal, (chunk) => onBytes(chunk.length));
      const entry = entryOf(before, digest);
      if (!isSame(entry, await file.stat({ bigint: true }))) throw storeError('STORE_SOURCE_CHANGED', { what: 'a file changed while it was digested', evidence: { path }, fix: 'let nothing write to it and run again' });
      if (isSettled(before, started)) this.#remember(identityOf(before), entry);
      return { sha256: digest, size: Number(before.size) };
    } catch (error) {
      throw diskError(error, 'read a file to digest it', path);
    } finally {
      await file.close();
    }
  }

  async save(): Promise<void> {
    if (this.#added.size === 0) return;
    const merged = new Map([...readEntries(this.#path), ...this.#added]);
    const body = JSON.stringify([...merged].slice(-MAX_ENTRIES));
    await writeFileAtomic(this.#path, `${sha256(body)}\n${body}\n`);
    this.#added.clear();
  }

  #remember(identity: string, entry: Entry): void {
    this.#entries.set(identity, entry);
    this.#added.set(identity, entry);
  }
}

function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

function entryOf(stats: BigIntStats, digest: string): Entry {
  return [String(stats.size), String(stats.mtimeNs), String(stats.ctimeNs), digest];
}

function isSame(entry: Entry, stats: BigIntStats): boolean {
  return entry[0] === String(stats.size) && entry[1] === String(stats.mtimeNs) && entry[2] === String(stats.ctimeNs);
}

function isSettled(stats: BigIntStats, startedNs: bigint): boolean {
  const changed = stats.mtimeNs > stats.ctimeNs ? stats.mtimeNs : stats.ctimeNs;
  return changed + RACY_NS < startedNs;
}

/** The file is `<sha256 of the next line>\n<json>\n`: a flipped bit loses the memo instead of giving a wrong digest. */
function readEntries(path: string): Map<string, Entry> {
  try {
    const [checksum, body, end] = readFileSync(path, 'utf8').split('\n');
    if (body === undefined || end !== '' || sha256(body) !== checksum) return new Map();
    return new Map(JSON.parse(body) as [string, Entry][]);
  } catch {
    return new Map();
  }
}
