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
  readonly as: 'float32' | 'bfloat16';
  /** Elements. */
  readonly window: number;
}

export interface ScratchRequest {
  readonly folder: string;
  readonly kernels: Kernels;
  readonly threads: number;
  /** For what is read. */
  readonly stack: FloatStack;
}

export class ScratchStreams {
  readonly #streams = new Map<string, Stream>();
  #bits = new Uint16Array(0);

  constructor(private readonly request: ScratchRequest) {}

  /** Puts a batch at its place in the stream `name` and gives it back. @param as of all batches of a stream alike, and windows of one size */
  keep(name: string, { first, count }: WindowRange, batch: Float32Array, as: Stream['as'] = 'float32'): Float32Array {
    const { kernels, threads } = this.request;
    const stream = this.#streams.get(name) ?? this.#open(name, as, batch.length / count);
    const data = as === 'float32' ? batch : kernels.narrowBf16(batch, threads, this.#bitsOf(batch.length));
    writeWhole(stream.file, data, first * stream.window * data.BYTES_PER_ELEMENT);
    return batch;
  }

  /** Windows that were kept. @throws QUANTIZE_WEIGHTS_CUT */
  read(name: string, { first, count }: WindowRange): Float32Array {
    const { kernels, threads, stack } = this.request;
    const { file, path, as, window } = this.#streams.get(name) as Stream;
    const data = stack.take(count * window);
    const stored = as === 'float32' ? data : this.#bitsOf(data.length);
    readWhole(file, path, stored, first * window * stored.BYTES_PER_ELEMENT);
    return stored instanceof Uint16Array ? kernels.widenBf16(stored, threads, data) : data;
  }

  remove(): void {
    for (const { file, path } of this.#streams.values()) {
      closeSync(file);
      rmSync(path, { force: true });
    }
    this.#streams.clear();
  }

  #open(name: string, as: Stream['as'], window: number): Stream {
    const path = join(this.request.folder, `scratch-${name}`);
    const stream = { file: openSync(path, 'wx+'), path, as, window };
    this.#streams.set(name, stream);
    return stream;
  }

  /** Of this length, holding whatever it held. */
  #bitsOf(length: number): Uint16Array {
    if (this.#bits.length < length) this.#bits = new Uint16Array(length);
    return this.#bits.subarray(0, length);
  }
}
