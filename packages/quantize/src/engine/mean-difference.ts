/**
 * What the float model adds to a Gram matrix, from few windows: Xf'X / T = X'X / T + D / Tf, where D = (Xf - X)'X is summed over the
 * Tf tokens of those windows alone. Inputs of both models differ by little, so a mean over few tokens tells what a control
 * variate leaves to tell; Xf'X of the few against X'X of all would drown it in how the few differ from all.
 */
import { releasing, takeFloats } from '../float-stack.js';
import { type Compute, difference } from '../techniques/weight-matrix.js';

export class MeanDifference {
  readonly #sums: Float32Array;
  #tokens = 0;

  /** @param block columns of the diagonal blocks that are kept; k for the whole matrix */
  constructor(private readonly compute: Compute, private readonly k: number, private readonly block: number) {
    this.#sums = takeFloats(compute.stack, k * block).fill(0);
  }

  /** @param x inputs [tokens, k] in the quantized model @param float the same in the float model */
  add(x: Float32Array, float: Float32Array): void {
    const { compute: { kernels, products = kernels.algebra, threads, stack }, k, block } = this;
    const tokens = x.length / k;
    releasing(stack, () => {
      const beyond = difference(this.compute, float, x);
      if (block === k) products.accumulateCross(this.#sums, beyond, x, tokens, k, k, threads);
      else kernels.algebra.accumulateBlocks(this.#sums, beyond, x, tokens, k, block, threads);
    });
    this.#tokens += tokens;
  }

  /** Xf'X / tokens in the form of `gram`, fp32 [k, k] or [k / block, block, block]. @param gram X'X / tokens over all windows that are learned from */
  cross(gram: Float32Array): Float32Array {
    return gram.map((value, i) => value + (this.#sums[i] as number) / this.#tokens);
  }
}
