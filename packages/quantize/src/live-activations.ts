/** The residual stream between two blocks as a file: few windows in memory at a time, on its way in and on its way out. */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { type FloatStack, takeFloats } from './float-stack.js';
import { readWhole } from './read-whole.js';

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
  windows({ first, count }: WindowRange, memory?: FloatStack): Float32Array {
    const length = (count * this.#windowBytes) / Float32Array.BYTES_PER_ELEMENT;
    const data = takeFloats(memory, length);
    readStream(this.#file, this.path, data, first * this.#windowBytes);
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
    writeWhole(this.#file, data);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** @throws QUANTIZE_WEIGHTS_CUT when the file ends inside what is read */
export function readStream(file: number, path: string, data: Float32Array, position: number): void {
  readWhole(file, data, position, { path, what: 'a file of activations ends inside a window' });
}

/** @param position in the file; at its end without */
export function writeWhole(file: number, data: Float32Array, position?: number): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, position === undefined ? undefined : position + done);
}
