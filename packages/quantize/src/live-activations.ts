/** The residual stream between two blocks as a file: one window in memory at a time, on its way in and on its way out. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { quantizeError } from './errors.js';

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
    const data = new Float32Array(this.#windowBytes / Float32Array.BYTES_PER_ELEMENT);
    const bytes = new Uint8Array(data.buffer);
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(this.#file, bytes, done, bytes.length - done, index * this.#windowBytes + done);
      if (count === 0) throw quantizeError('QUANTIZE_WEIGHTS_CUT', { what: 'the activations between two blocks end inside a window', evidence: { path: this.path, offset: index * this.#windowBytes + done } });
      done += count;
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

  constructor(path: string) {
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
