/** A body on its way to disk, under a temporary name: hashed on arrival, while what came before is being written. */
import { type Hash, createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';

/** What waits for the disk in memory; the sender waits for the rest. */
const WAITING_BYTES = 1 << 20;

export class Upload {
  readonly #hash: Hash = createHash('sha256');
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #size = 0;
  #isOpen = true;
  #hasRoom = true;

  private constructor(
    readonly path: string,
    readonly file: FileHandle,
    readonly free: () => void,
  ) {}

  /** @param path a name that nobody uses @param free gives back the room that was reserved for the body; called once */
  static async begin(path: string, free: () => void): Promise<Upload> {
    return new Upload(path, await open(path, 'wx'), free);
  }

  /** Bytes taken so far. */
  get size(): number {
    return this.#size;
  }

  /** Takes a chunk. @returns when there is room for the next; undefined when there is already */
  write(chunk: Uint8Array): Promise<void> | undefined {
    this.#hash.update(chunk);
    this.#size += chunk.length;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#writing ??= this.#begin();
    return this.#waitingBytes < WAITING_BYTES ? undefined : this.#writing;
  }

  /** Everything has been written. @returns sha256 of the body */
  async finish(): Promise<string> {
    while (this.#writing !== undefined) await this.#writing;
    return this.#hash.digest('hex');
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#writing?.catch(() => undefined);
    await this.file.close();
  }

  /** Leaves nothing behind. Until it is gone it takes its room. */
  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
    await rm(this.path, { force: true }).finally(() => this.release());
  }

  release(): void {
    if (this.#hasRoom) this.free();
    this.#hasRoom = false;
  }

  #begin(): Promise<void> {
    const writing = this.#writeWaiting();
    // A failure is met by whoever writes next, or ends.
    writing.catch(() => undefined);
    return writing;
  }

  /** One large write of whatever has gathered: each costs a turn of the thread pool. After a failure nothing more is written. */
  async #writeWaiting(): Promise<void> {
    const batch = this.#waiting;
    const bytes = this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { bytesWritten } = await this.file.writev(batch);
    // A disk that fills up takes a part; the rest then fails with the reason.
    if (bytesWritten < bytes) await this.file.writeFile(Buffer.concat(batch).subarray(bytesWritten));
    this.#writing = this.#waiting.length > 0 && this.#isOpen ? this.#begin() : undefined;
  }
}
