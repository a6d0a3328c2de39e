/** One file of quantized tensors: appended in order, aligned, named by a logical location. */
import { open, type FileHandle } from 'node:fs/promises';
import { type DataType, type ExternalTensor, byteLength } from '@tundish/graph';
import { readBuffer } from '@tundish/store';

/** Start of every tensor: one cache line, and a multiple of every element size. */
const ALIGNMENT = 64;

/** Collects tensors of one decoder block (or of the embedding, or the head) into one file. */
export class WeightFile {
  #offset = 0;
  /** What is written while the other is filled. */
  #rooms: [Uint8Array, Uint8Array] = [new Uint8Array(), new Uint8Array()];
  /** The write that goes on. */
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    readonly location: string,
    readonly path: string,
    readonly handle: FileHandle,
  ) {}

  static async create(location: string, path: string): Promise<WeightFile> {
    return new WeightFile(location, path, await open(path, 'wx'));
  }

  /** Appends little-endian bytes, as `writeAt` does, and returns the tensor that views them. */
  async append(dtype: DataType, dims: readonly number[], bytes: Uint8Array): Promise<ExternalTensor> {
    const tensor = this.reserve(dtype, dims);
    await this.writeAt(tensor.offset, bytes);
    return tensor;
  }

  /** Places a tensor whose bytes are written later, piece by piece, with `writeAt`. */
  reserve(dtype: DataType, dims: readonly number[]): ExternalTensor {
    const offset = Math.ceil(this.#offset / ALIGNMENT) * ALIGNMENT;
    const length = byteLength(dtype, dims);
    this.#offset = offset + length;
    return { kind: 'external', dtype, dims, location: this.location, offset, length };
  }

  /**
   * Memory for what the next `writeAt` writes, holding whatever it held: that of the write before the last. One at a time.
   *
   * @param length bytes; the first has the address of an element of any width
   */
  room(length: number): Uint8Array {
    const [before, last] = this.#rooms;
    const room = before.length < length ? readBuffer(length) : before;
    this.#rooms = [last, room];
    return room.subarray(0, length);
  }

  /**
   * Returns as soon as the write before has ended, so that the caller computes what comes next meanwhile: nobody may change the
   * bytes any more. What goes wrong is thrown by the next call or by `close`.
   */
  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#writing;
    this.#writing = this.#write(offset, bytes);
    this.#writing.catch(() => undefined);
  }

  /** @throws the error of a write */
  async close(): Promise<void> {
    try {
      await this.#writing;
    } finally {
      await this.handle.close();
    }
  }

  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.byteLength - done, offset + done);
      done += bytesWritten;
    }
  }
}
