/** Walks forward through a GGUF header, a piece of the file at a time; nothing is allocated on the word of the file. */
import type { FileHandle } from 'node:fs/promises';
import { printable } from '@tundish/diagnostics';
import { fault } from '../errors.js';
import { readRange } from '../read-file.js';

const PIECE = 256 * 1024;
/** Headers are a few megabytes of vocabulary; a larger one is damaged or hostile. */
const HEADER_LIMIT = 256 * 1024 * 1024;

export class HeaderCursor {
  private bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  private view = new DataView(this.bytes.buffer);
  /** Offset in the file of `bytes[0]`. */
  private base = 0;
  /** Index in `bytes` of the next byte. */
  private next = 0;
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** What is being read, for the message when the file ends: `key general.name`. */
  place = 'the counts';

  constructor(
    private readonly handle: FileHandle,
    readonly path: string,
    readonly size: number,
  ) {}

  get offset(): number {
    return this.base + this.next;
  }

  /** Bytes of the file from here on. */
  get remaining(): number {
    return this.size - this.offset;
  }

  async u32(): Promise<number> {
    const at = await this.take(4);
    return this.view.getUint32(at, true);
  }

  async u64(): Promise<bigint> {
    const at = await this.take(8);
    return this.view.getBigUint64(at, true);
  }

  /** `count` values of `width` bytes each, a piece at a time. */
  async values<T>(count: number, width: number, read: (view: DataView, at: number) => T): Promise<T[]> {
    const values: T[] = [];
    while (values.length < count) {
      const some = Math.min(count - values.length, PIECE / width);
      const start = await this.take(some * width);
      for (let i = 0; i < some; i++) values.push(read(this.view, start + i * width));
    }
    return values;
  }

  /** @throws TundishError GGUF_HEADER_INVALID when the length exceeds the file, or the bytes are not UTF-8 */
  async text(): Promise<string> {
    const length = await this.u64();
    if (length > BigInt(this.size)) {
      throw this.invalid(`string length ${length} in ${this.place} exceeds the file, which has ${this.size} bytes`, 'Nothing was allocated.');
    }
    const count = Number(length);
    if (count > this.remaining) throw this.ended(`, after ${printable(JSON.stringify(await this.rest()), 80)}`);
    const start = await this.take(count);
    try {
      return this.utf8.decode(this.bytes.subarray(start, start + count));
    } catch {
      throw this.invalid(`a string in ${this.place} is not valid UTF-8`);
    }
  }

  invalid(what: string, why?: string): Error {
    return fault('GGUF_HEADER_INVALID', {
      what: `${this.path}: ${what}`,
      ...(why === undefined ? {} : { why }),
      evidence: { path: this.path, offset: this.offset },
      fix: 'The file is damaged: download it again.',
    });
  }

  /** Makes the next `count` bytes available, maybe in a new buffer, and steps over them; @returns their index in it. */
  private async take(count: number): Promise<number> {
    if (this.next + count > this.bytes.length) await this.fill(count);
    const start = this.next;
    this.next += count;
    return start;
  }

  private async fill(count: number): Promise<void> {
    const offset = this.offset;
    if (count > this.remaining) throw this.ended('');
    if (offset + count > HEADER_LIMIT) throw this.invalid(`the header is longer than ${HEADER_LIMIT} bytes`, 'No vocabulary is that large.');
    this.bytes = await readRange(this.handle, this.path, offset, Math.min(Math.max(count, PIECE), this.remaining));
    this.view = new DataView(this.bytes.buffer);
    this.base = offset;
    this.next = 0;
  }

  /** What is left of a string that the file cuts off, as far as a message wants it. */
  private async rest(): Promise<string> {
    const count = Math.min(this.remaining, 64);
    const start = await this.take(count);
    return Buffer.from(this.bytes.subarray(start, start + count)).toString('latin1');
  }

  private ended(detail: string): Error {
    return fault('GGUF_TRUNCATED', {
      what: `${this.path}: the file ends inside ${this.place}${detail}`,
      evidence: { path: this.path, offset: this.size },
      fix: 'The file is cut short: download it again.',
    });
  }
}
