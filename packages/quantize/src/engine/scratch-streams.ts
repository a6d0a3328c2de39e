/**
 * Streams of one block that wait in files until the next group of layers is solved, so that memory holds one batch of each.
 * The next block writes over them: fresh pages of a file cost several times as much as pages that are there.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernels } from '@tundish/native';
import { type FloatStack, releasing, takeBytes } from '../float-stack.js';
import { type WindowRange, readStream, writeWhole } from '../live-activations.js';

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
  /** For what is read, until the caller releases it. */
  readonly stack: FloatStack;
}

export class ScratchStreams {
  readonly #streams = new Map<string, Stream>();

  constructor(private readonly request: ScratchRequest) {}

  /** Puts a batch at its place in the stream `name` and gives it back. @param as of all batches of a stream alike, and windows of one size */
  keep(name: string, { first, count }: WindowRange, batch: Float32Array, as: Stream['as'] = 'float32'): Float32Array {
    const { kernels, threads, stack } = this.request;
    const { file, window } = this.#streams.get(name) ?? this.#open(name, as, batch.length / count);
    releasing(stack, () => {
      const data = as === 'float32' ? batch : kernels.narrowBf16(batch, threads, takeHalves(stack, batch.length));
      writeWhole(file, data, first * window * data.BYTES_PER_ELEMENT);
    });
    return batch;
  }

  /** Windows that were kept. @throws QUANTIZE_WEIGHTS_CUT */
  read(name: string, { first, count }: WindowRange): Float32Array {
    const { kernels, threads, stack } = this.request;
    const { file, path, as, window } = this.#streams.get(name) as Stream;
    const data = stack.take(count * window);
    const fill = (stored: Float32Array | Uint16Array): void => readStream(file, path, stored, first * window * stored.BYTES_PER_ELEMENT);
    if (as === 'float32') fill(data);
    else releasing(stack, () => {
      const bits = takeHalves(stack, data.length);
      fill(bits);
      kernels.widenBf16(bits, threads, data);
    });
    return data;
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
}

/** 16-bit elements, holding whatever they held. */
function takeHalves(stack: FloatStack, length: number): Uint16Array {
  const { buffer, byteOffset } = takeBytes(stack, length * Uint16Array.BYTES_PER_ELEMENT);
  return new Uint16Array(buffer, byteOffset, length);
}
