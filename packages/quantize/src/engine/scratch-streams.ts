/**
 * Streams of one block that wait in files until the next group of layers is solved, so that memory holds one batch of each.
 * The next block writes over them: fresh pages of a file cost several times as much as pages that are there.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROUNDED_BLOCK } from '@tundish/native';
import { type FloatStack, int8Of } from '../float-stack.js';
import { type WindowRange, readStream, writeWhole } from '../live-activations.js';
import type { Compute } from '../techniques/weight-matrix.js';

interface Stream {
  readonly file: number;
  readonly path: string;
  /** Elements. */
  readonly window: number;
}

export class ScratchStreams {
  readonly #streams = new Map<string, Stream>();

  /** @param stack for what is read, until the caller releases it */
  constructor(private readonly folder: string, private readonly stack: FloatStack) {}

  /** Puts a batch at its place in the stream `name` and gives it back. @param batch of windows of one size in all of a stream */
  keep(name: string, { first, count }: WindowRange, batch: Float32Array): Float32Array {
    const { file, window } = this.#streams.get(name) ?? this.#open(name, batch.length / count);
    writeWhole(file, batch, first * window * Float32Array.BYTES_PER_ELEMENT);
    return batch;
  }

  /** Windows that were kept. @throws QUANTIZE_WEIGHTS_CUT */
  read(name: string, { first, count }: WindowRange): Float32Array {
    const { file, path, window } = this.#streams.get(name) as Stream;
    const data = this.stack.take(count * window);
    readStream(file, path, data, first * window * Float32Array.BYTES_PER_ELEMENT);
    return data;
  }

  /**
   * As `keep`, with what waits rounded as `multiplyByCodes` rounds its input: a quarter of the bytes, and the same codes meet
   * those of the layer in the end.
   *
   * @param batch whose windows are whole blocks of 32
   */
  keepRounded({ kernels, threads }: Compute, name: string, range: WindowRange, batch: Float32Array): Float32Array {
    const [codes, scale] = [this.stack.take(batch.length / Float32Array.BYTES_PER_ELEMENT), this.stack.take(batch.length / ROUNDED_BLOCK)];
    kernels.algebra.roundBlocks(batch, int8Of(codes), scale, threads);
    this.keep(`${name}-codes`, range, codes);
    this.keep(`${name}-scales`, range, scale);
    return batch;
  }

  /** What `keepRounded` kept. @throws QUANTIZE_WEIGHTS_CUT */
  readRounded({ kernels, threads }: Compute, name: string, range: WindowRange): Float32Array {
    const [codes, scale] = [int8Of(this.read(`${name}-codes`, range)), this.read(`${name}-scales`, range)];
    return kernels.solvers.valuesOnGrid(codes, { scale, block: ROUNDED_BLOCK, bits: 8 }, threads, this.stack.take(codes.length));
  }

  remove(): void {
    for (const { file, path } of this.#streams.values()) {
      closeSync(file);
      rmSync(path, { force: true });
    }
    this.#streams.clear();
  }

  #open(name: string, window: number): Stream {
    const path = join(this.folder, `scratch-${name}`);
    const stream = { file: openSync(path, 'wx+'), path, window };
    this.#streams.set(name, stream);
    return stream;
  }
}
