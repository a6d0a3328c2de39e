/**
 * Large arrays one behind another in memory that serves again and again: fresh memory of the system costs as much time as some
 * of the products that fill it. What was taken last ends first.
 */
import { readBuffer } from '@tundish/store';

/** Elements of a cache line: arrays begin at its multiples. */
const GRAIN = 16;

export class FloatStack {
  #memory = memoryOf(0);
  #top = 0;
  #highest = 0;

  /** fp32 of this length, holding whatever it held: until a mark from before is released. */
  take(length: number): Float32Array {
    const from = this.#top;
    this.#top += Math.ceil(length / GRAIN) * GRAIN;
    this.#highest = Math.max(this.#highest, this.#top);
    return this.#top <= this.#memory.length ? this.#memory.subarray(from, from + length) : new Float32Array(length);
  }

  /** Where the next array begins. */
  get mark(): number {
    return this.#top;
  }

  /** Nobody looks any more at what was taken since the mark. An empty stack grows to what it needed so far. */
  release(mark: number): void {
    this.#top = mark;
    if (mark === 0 && this.#highest > this.#memory.length) this.#memory = memoryOf(this.#highest);
  }

  /** Gives its memory back; it begins anew. */
  clear(): void {
    [this.#memory, this.#top, this.#highest] = [memoryOf(0), 0, 0];
  }
}

/** For streams and weights that are read into it. */
function memoryOf(length: number): Float32Array {
  const { buffer, byteOffset } = readBuffer(length * Float32Array.BYTES_PER_ELEMENT);
  return new Float32Array(buffer, byteOffset, length);
}

/** fp32 of this length: of the stack, where there is one. */
export function takeFloats(stack: FloatStack | undefined, length: number): Float32Array {
  return stack?.take(length) ?? new Float32Array(length);
}

/** The same of bytes, whose first has the address of a float. */
export function takeBytes(stack: FloatStack | undefined, length: number): Uint8Array {
  const { buffer, byteOffset } = takeFloats(stack, Math.ceil(length / Float32Array.BYTES_PER_ELEMENT));
  return new Uint8Array(buffer, byteOffset, length);
}

/** Calls `work` and releases all that it took: its result is none of that. */
export function releasing<Result>(stack: FloatStack | undefined, work: () => Result): Result {
  const mark = stack?.mark ?? 0;
  try {
    return work();
  } finally {
    stack?.release(mark);
  }
}
