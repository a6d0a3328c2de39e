/** Signal-to-quantization-noise ratio: how far a quantized tensor is from its floating-point reference. */
import { evaluateError } from './errors.js';

/** Sums over any number of tensors, in float64 and in index order. */
export class Sqnr {
  #signal = 0;
  #noise = 0;
  #count = 0;

  /** @throws EVALUATE_SIZES_DIFFER */
  add(reference: Float32Array, found: Float32Array): void {
    if (reference.length !== found.length) throw evaluateError('EVALUATE_SIZES_DIFFER', { what: `the reference has ${reference.length} elements, what is held against it ${found.length}` });
    for (let i = 0; i < reference.length; i++) {
      const real = reference[i] as number;
      const error = real - (found[i] as number);
      this.#signal += real * real;
      this.#noise += error * error;
    }
    this.#count += reference.length;
  }

  /**
   * 10 log10(sum reference² / sum (reference - found)²). Infinity without any error, also of a reference that is all zero;
   * -Infinity when such a reference has errors; NaN when an element is NaN or infinite, or nothing was added.
   */
  get decibels(): number {
    if (this.#count === 0 || !Number.isFinite(this.#signal) || !Number.isFinite(this.#noise)) return NaN;
    return this.#noise === 0 ? Infinity : 10 * Math.log10(this.#signal / this.#noise);
  }
}
