/** Reads an archive for Nx while it arrives, so that Nx is never given one that bursts, is cut, or writes where it should not. */
import { once } from 'node:events';
import { type Gunzip, createGunzip } from 'node:zlib';
import { messageOf, printable } from '@tundish/diagnostics';
import { type Header, extract } from 'tar-stream';
import { cacheError } from '../errors.js';
import { CODE, faultOfEntry, plainName } from './entry-rules.js';

/** Logs of one line repeated pack well; beyond this size nothing honest packs better than `MAX_RATIO`. */
const RATIO_FROM_BYTES = 16 << 20;
const MAX_RATIO = 200;
const MAX_ENTRIES = 100_000;
const CHUNK_BYTES = 1 << 16;

export class ArchiveCheck {
  readonly #gunzip: Gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  /** Nx gives the log and the exit code heads of the form before POSIX. */
  readonly #tar = extract({ allowUnknownFormat: true } as Parameters<typeof extract>[0]);
  readonly #links = new Set<string>();
  readonly #done: Promise<void>;
  #packed = 0;
  #unpacked = 0;
  #entries = 0;
  #hasCode = false;

  /** @param maxUnpacked bytes of the archive once extracted */
  constructor(readonly maxUnpacked: number) {
    this.#done = Promise.all([this.#unpack(), this.#readEntries()]).then(() => undefined);
    this.#done.catch(() => this.#gunzip.destroy());
  }

  /** @throws CACHE_ARCHIVE as soon as it is known */
  async write(chunk: Uint8Array): Promise<void> {
    this.#packed += chunk.length;
    if (this.#gunzip.destroyed) await this.#ended();
    if (!this.#gunzip.write(chunk)) await Promise.race([once(this.#gunzip, 'drain').catch(() => undefined), this.#ended()]);
  }

  /** @throws CACHE_ARCHIVE when the archive is not whole */
  async end(): Promise<void> {
    this.#gunzip.end();
    await this.#ended();
    if (this.#gunzip.bytesWritten !== this.#packed) throw refuse('something follows its end');
    if (!this.#hasCode) throw refuse('it holds no exit code');
  }

  /** Gives up on an archive of which no more comes. */
  destroy(): void {
    this.#gunzip.destroy();
    this.#tar.destroy(new Error('given up'));
  }

  async #ended(): Promise<void> {
    try {
      await this.#done;
    } catch (cause) {
      throw refuse(printable(messageOf(cause)), cause);
    }
  }

  async #unpack(): Promise<void> {
    for await (const chunk of this.#gunzip as AsyncIterable<Uint8Array>) {
      this.#unpacked += chunk.length;
      if (this.#unpacked > this.maxUnpacked) throw new Error(`it unpacks to more than ${this.maxUnpacked} bytes`);
      if (this.#unpacked > RATIO_FROM_BYTES && this.#unpacked > this.#packed * MAX_RATIO) throw new Error(`it unpacks to more than ${MAX_RATIO} times its size`);
      if (!this.#tar.write(chunk)) await Promise.race([once(this.#tar, 'drain'), once(this.#tar, 'close')]);
    }
    this.#tar.end(undefined);
  }

  async #readEntries(): Promise<void> {
    for await (const entry of this.#tar) {
      this.#check(entry.header);
      entry.resume();
    }
  }

  #check(header: Header): void {
    this.#entries += 1;
    const fault = faultOfEntry(header, this.#links);
    if (fault !== undefined) throw new Error(fault);
    if (this.#entries > MAX_ENTRIES) throw new Error(`it holds more than ${MAX_ENTRIES} entries`);
    if (header.type === 'symlink') this.#links.add(plainName(header.name));
    if (header.name === CODE.name) this.#hasCode = true;
  }
}

function refuse(why: string, cause?: unknown): Error {
  return cacheError('CACHE_ARCHIVE', { what: 'the body is no archive that Nx can extract safely', why, cause });
}
