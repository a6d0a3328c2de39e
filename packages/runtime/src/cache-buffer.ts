/** The cache of keys or values of one layer: one buffer that all graphs read, laid out at the stride of the next one. */
import type { TensorData } from '@tundish/toolchain';

/**
 * A tensor [outer, positions, inner] whose middle axis changes with the graph: keys are [g * D, P, 1], values [g, P, D].
 * Positions at and above the valid count always hold the code of zero.
 */
export class CacheBuffer {
  readonly #data: TensorData;
  readonly #outer: number;
  readonly #inner: number;
  readonly #zero: number;
  #stride: number;

  /**
   * @param data room for outer * (largest stride) * inner elements
   * @param zero code of the value 0
   * @param stride positions per row at the start
   */
  constructor(data: TensorData, shape: { readonly outer: number; readonly inner: number }, zero: number, stride: number) {
    this.#data = data;
    this.#outer = shape.outer;
    this.#inner = shape.inner;
    this.#zero = zero;
    this.#stride = stride;
    data.fill(zero);
  }

  /** The tensor as the graph of the current stride takes it: a view, not a copy. */
  view(): TensorData {
    return this.#data.subarray(0, this.#outer * this.#stride * this.#inner);
  }

  /**
   * Moves all rows to another stride and fills what is new with zero.
   *
   * @param valid positions that hold tokens, at most both strides
   */
  restride(stride: number, valid: number): void {
    const before = this.#stride;
    if (stride === before) return;
    this.#stride = stride;
    // Rows move towards the end when growing, so the last goes first; the other way round when shrinking.
    for (let step = 0; step < this.#outer; step++) {
      const row = stride > before ? this.#outer - 1 - step : step;
      const from = row * before * this.#inner;
      const to = row * stride * this.#inner;
      this.#data.copyWithin(to, from, from + valid * this.#inner);
      this.#data.fill(this.#zero, to + valid * this.#inner, to + stride * this.#inner);
    }
  }

  /**
   * Writes new positions behind the valid ones.
   *
   * @param source [outer, ar, inner], of which the first `count` positions are taken
   */
  append(source: TensorData, ar: number, valid: number, count: number): void {
    const inner = this.#inner;
    const length = count * inner;
    for (let row = 0; row < this.#outer; row++) {
      const to = (row * this.#stride + valid) * inner;
      const from = row * ar * inner;
      // Views cost more than they save on the single element a key row gets per decoded token.
      for (let i = 0; i < length; i++) this.#data[to + i] = source[from + i] as number;
    }
  }

  /** Forgets positions from `kept` on. */
  truncate(kept: number, valid: number): void {
    for (let row = 0; row < this.#outer; row++) {
      const start = row * this.#stride * this.#inner;
      this.#data.fill(this.#zero, start + kept * this.#inner, start + valid * this.#inner);
    }
  }
}
