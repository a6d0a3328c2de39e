/** The residual stream between two blocks as a file: few windows in memory at a time, on its way in and on its way out. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { quantizeError } from './errors.js';
import type { BatchMemory } from './forward/batch-memory.js';

/** Windows of a stream that are one behind another. */
export interface WindowRange {
  readonly first: number;
  readonly count: number;
}

/** Reads windows of a stream that a block wrote; all windows are of one size. */
export class LiveActivations {
  readonly #file: number;
  readonly #windowBytes: number;

  constructor(private readonly path: string, windows: number) {
    this.#file = openSync(path, 'r');
    this.#windowBytes = fstatSync(this.#file).size / windows;
  }

  /** float32 [tokens, hidden] of window `index`. @throws QUANTIZE_WEIGHTS_CUT when the file ends inside it */
  window(index: number): Float32Array {
    return this.windows({ first: index, count: 1 });
  }

  /** float32 [count, tokens, hidden]. @param memory for a result that ends with its batch @throws QUANTIZE_WEIGHTS_CUT when the file ends inside them */
  windows({ first, count }: WindowRange, memory?: BatchMemory): Float32Array {
    const length = (count * this.#windowBytes) / Float32Array.BYTES_PER_ELEMENT;
    const data = memory?.take(length) ?? new Float32Array(length);
    const bytes = new Uint8Array(data.buffer);
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.#file, bytes, done, bytes.length - done, first * this.#windowBytes + done);
      if (read === 0) throw quantizeError('QUANTIZE_WEIGHTS_CUT', { what: 'the activations between two blocks end inside a window', evidence: { path: this.path, offset: first * this.#windowBytes + done } });
      done += read;
    }
    return data;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Writes the windows of a stream in their order. */
export class LiveActivationsWriter {
  readonly #file: number;

  constructor(readonly path: string) {
    this.#file = openSync(path, 'wx');
  }

  append(data: Float32Array): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
  }

  close(): void {
    closeSync(this.#file);
  }
}
