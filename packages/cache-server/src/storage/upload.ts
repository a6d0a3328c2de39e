/** A body on its way to disk, under a temporary name: hashed while it is written, at most two batches in memory. */
import { type Hash, createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';

/** Few large writes: each costs a turn of the thread pool. */
const BATCH_BYTES = 1 << 19;
/** The disk begins early, so that little is left to wait for at the end. */
const SYNC_BYTES = 1 << 25;

export class Upload {
  readonly #hash: Hash = createHash('sha256');
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #writing: Promise<unknown> = Promise.resolve();
  #syncing: Promise<unknown> = Promise.resolve();
  #syncedTo = 0;
  #size = 0;
  #isOpen = true;

  private constructor(
    readonly path: string,
    readonly file: FileHandle,
  ) {}

  /** @param path a name that nobody uses */
  static async begin(path: string): Promise<Upload> {
    return new Upload(path, await open(path, 'wx+', 0o644));
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** Takes a chunk; waits only when the disk is more than a batch behind. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    this.#size += chunk.length;
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    if (this.#batchBytes >= BATCH_BYTES) await this.#flush();
  }

  /** Everything is on the disk, also after a power cut. @returns sha256 of the body */
  async finish(): Promise<string> {
    await this.#flush();
    await this.#writing;
    await this.#syncing;
    await this.file.sync();
    return this.#hash.digest('hex');
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await Promise.allSettled([this.#writing, this.#syncing]);
    await this.file.close();
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
    await rm(this.path, { force: true });
  }

  async #flush(): Promise<void> {
    await this.#writing;
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#writing = writeAll(this.file, batch);
    // A failure is met by whoever awaits the next batch.
    this.#writing.catch(() => undefined);
    await this.#syncEarly();
  }

  async #syncEarly(): Promise<void> {
    if (this.#size - this.#syncedTo < SYNC_BYTES) return;
    await this.#syncing;
    this.#syncedTo = this.#size;
    this.#syncing = this.file.datasync();
    this.#syncing.catch(() => undefined);
  }
}

async function writeAll(file: FileHandle, batch: readonly Uint8Array[]): Promise<void> {
  const bytes = batch.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await file.writev(batch);
  // A disk that fills up takes a part; the rest then fails with the reason.
  if (bytesWritten < bytes) await file.writeFile(Buffer.concat(batch).subarray(bytesWritten));
}
