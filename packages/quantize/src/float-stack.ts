/**
 * Large arrays one behind another in memory that serves again and again: fresh memory of the system costs as much time as some
 * of the products that fill it. What was taken last ends first.
 */
import { readBuffer } from '@tundish/store';

/** Elements of a cache line: arrays begin at its multiples. */
const GRAIN = 16;

/**
 * Elements of a piece of memory, 1 GiB: as good as always the only one. What nobody has touched yet is an address and no
 * memory, so a stack grows without taking what it holds a second time.
 */
const PIECE = 1 << 28;

/** Where the next array begins. */
interface Mark {
  readonly piece: number;
  readonly at: number;
}

const BOTTOM: Mark = { piece: 0, at: 0 };

export class FloatStack {
  readonly #pieces: Float32Array[] = [];
  #top = BOTTOM;

  /** @param piece elements that memory grows by; by more for an array that is longer */
  constructor(private readonly piece = PIECE) {}

  /** fp32 of this length, holding whatever it held: until a mark from before is released. */
  take(length: number): Float32Array {
    const size = Math.ceil(length / GRAIN) * GRAIN;
    let { piece, at } = this.#top;
    while (piece < this.#pieces.length && at + size > (this.#pieces[piece] as Float32Array).length) [piece, at] = [piece + 1, 0];
    const memory = (this.#pieces[piece] ??= memoryOf(Math.max(size, this.piece)));
    this.#top = { piece, at: at + size };
    return memory.subarray(at, at + length);
  }

  get mark(): Mark {
    return this.#top;
  }

  /** Nobody looks any more at what was taken since the mark; without one, at anything. */
  release(mark = BOTTOM): void {
    this.#top = mark;
  }

  /** Gives its memory back; it begins anew. */
  clear(): void {
    this.#pieces.length = 0;
    this.#top = BOTTOM;
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

/** A copy of its own, until a mark of the stack from before is released. */
export function copyFloats(stack: FloatStack | undefined, from: Float32Array): Float32Array {
  const copy = takeFloats(stack, from.length);
  copy.set(from);
  return copy;
}

/** The bytes of `view` as codes. */
export function int8Of({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array): Int8Array {
  return new Int8Array(buffer, byteOffset, byteLength);
}

/** Calls `work` and releases all that it took: its result is none of that. */
export function releasing<Result>(stack: FloatStack | undefined, work: () => Result): Result {
  const mark = stack?.mark;
  try {
    return work();
  } finally {
    stack?.release(mark);
  }
}
