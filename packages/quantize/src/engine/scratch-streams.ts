/**
 * Streams of one block that wait in files until the next group of layers is solved, so that memory holds one batch of each.
 * The next block writes over them: fresh pages of a file cost several times as much as pages that are there.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernels } from '@tundish/native';
import type { FloatStack } from '../float-stack.js';
import { type WindowRange, readWhole, writeWhole } from '../live-activations.js';

interface Stream {
  readonly file: number;
  readonly path: string;
  /** Bytes of an element: 4 of float32, 2 of bfloat16. */
  readonly elementBytes: 2 | 4;
  /** Elements that this block has written. */
  written: number;
}

export interface ScratchRequest {
  readonly folder: string;
  readonly windows: number;
  readonly kernels: Kernels;
  readonly threads: number;
  /** For what is read. */
  readonly stack: FloatStack;
}

export class ScratchStreams {
  readonly #streams = new Map<string, Stream>();
  #bits = new Uint16Array(0);

  constructor(private readonly request: ScratchRequest) {}

  /** From here on streams are written from their beginning again. */
  rewind(): void {
    for (const stream of this.#streams.values()) stream.written = 0;
  }

  /** Appends a batch to the stream `name` and gives it back. @param as of all batches of the stream alike */
  keep(name: string, batch: Float32Array, as: 'float32' | 'bfloat16' = 'float32'): Float32Array {
    const { kernels, threads } = this.request;
    const stream = this.#streams.get(name) ?? this.#open(name, as === 'float32' ? 4 : 2);
    const data = as === 'float32' ? batch : kernels.narrowBf16(batch, threads, this.#bitsOf(batch.length));
    writeWhole(stream.file, data, stream.written * stream.elementBytes);
    stream.written += batch.length;
    return batch;
  }

  /** A stream of which all windows were kept. @throws QUANTIZE_WEIGHTS_CUT */
  read(name: string, { first, count }: WindowRange): Float32Array {
    const { windows, kernels, threads, stack } = this.request;
    const { file, path, elementBytes, written } = this.#streams.get(name) as Stream;
    const size = written / windows;
    const data = stack.take(count * size);
    const stored = elementBytes === 4 ? data : this.#bitsOf(data.length);
    readWhole(file, path, stored, first * size * elementBytes);
    return stored instanceof Uint16Array ? kernels.widenBf16(stored, threads, data) : data;
  }

  remove(): void {
    for (const { file, path } of this.#streams.values()) {
      closeSync(file);
      rmSync(path, { force: true });
    }
    this.#streams.clear();
  }

  #open(name: string, elementBytes: 2 | 4): Stream {
    const path = join(this.request.folder, `scratch-${name}`);
    const stream = { file: openSync(path, 'wx+'), path, elementBytes, written: 0 };
    this.#streams.set(name, stream);
    return stream;
  }

  /** Of this length, holding whatever it held. */
  #bitsOf(length: number): Uint16Array {
    if (this.#bits.length < length) this.#bits = new Uint16Array(length);
    return this.#bits.subarray(0, length);
  }
}
