/**
 * Tokens condensed to a few rows that keep what errors of a layer cost: a count sketch (Charikar et al. 2002). Every token is
 * added to, or taken from, one row; E[|E Z'|²] = |E X'|² for any error E, and with no more tokens than rows both are equal.
 * Products with it cost a fraction of those with a Gram matrix, and its memory does not grow with the square of a layer.
 */
import { takeFloats } from '../float-stack.js';
import type { Compute } from '../techniques/weight-matrix.js';

/** The relative error of a loss is below sqrt(2 / ROWS), and far below it where losses on the same tokens are compared. */
const ROWS = 512;

export class TokenSketch {
  readonly #sums: Float32Array;
  #tokens = 0;

  /** @param width elements of a token */
  constructor(private readonly compute: Compute, private readonly width: number) {
    this.#sums = takeFloats(compute.stack, ROWS * width).fill(0);
  }

  /** @param x [tokens, width]; sketches of other streams must get the same tokens in the same order */
  add(x: Float32Array): void {
    const { compute: { kernels }, width } = this;
    for (let start = 0; start < x.length; start += width, this.#tokens++) {
      const to = (this.#tokens % ROWS) * width;
      const [sums, token] = [this.#sums.subarray(to, to + width), x.subarray(start, start + width)];
      if (signOf(this.#tokens) > 0) kernels.decoder.add(sums, token, 1);
      else kernels.subtract(sums, token, 1, sums);
    }
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** fp32 [rows, width]; sums over tokens, not means. */
  get rows(): Float32Array {
    return this.#sums.subarray(0, Math.min(this.#tokens, ROWS) * this.width);
  }
}

/** 1 or -1, as if tossed: the highest bit of the multiplicative hash of Knuth, mixed once more (the finalizer of murmur3). */
function signOf(token: number): number {
  let hash = Math.imul(token + 1, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) < 0 ? -1 : 1;
}
