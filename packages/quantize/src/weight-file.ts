/** One file of quantized tensors: appended in order, aligned, named by a logical location. */
import { open, type FileHandle } from 'node:fs/promises';
import { type DataType, type ExternalTensor, byteLength } from '@tundish/graph';

/** Start of every tensor: one cache line, and a multiple of every element size. */
const ALIGNMENT = 64;

/** Collects tensors of one decoder block (or of the embedding, or the head) into one file. */
export class WeightFile {
  #offset = 0;

  private constructor(
    readonly location: string,
    readonly path: string,
    readonly handle: FileHandle,
  ) {}

  static async create(location: string, path: string): Promise<WeightFile> {
    return new WeightFile(location, path, await open(path, 'wx'));
  }

  /** Appends little-endian bytes and returns the tensor that views them. */
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

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.byteLength - done, offset + done);
      done += bytesWritten;
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
