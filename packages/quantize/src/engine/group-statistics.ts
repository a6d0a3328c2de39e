/** What is kept of the inputs of a group of linear layers: second moments to learn from, and a sketch of tokens to judge by. */
import { anyHeldOut, isHeldOut } from '@tundish/recipe/calibration-windows';
import { releasing, takeFloats } from '../float-stack.js';
import type { WindowRange } from '../live-activations.js';
import { residualProducts } from '../techniques/target-correction/target-correction.js';
import { type Compute, type LayerWeight, difference, outputsOf } from '../techniques/weight-matrix.js';
import { windowsWithin } from './float-windows.js';
import { TokenSketch } from './token-sketch.js';

/** What the float model contributes: the inputs of the group or the outputs of its one `layer`, of all windows or of those with the indices `windows`. */
export type ReferenceKind =
  | { readonly kind: 'none' }
  | { readonly kind: 'inputs'; readonly windows?: readonly number[] }
  | { readonly kind: 'outputs'; readonly layer: LayerWeight; readonly windows?: readonly number[] };

/** Means over the tokens that techniques learn from. */
export interface Moments {
  readonly tokens: number;
  /** fp32 [k, k] X'X, or its diagonal blocks [k / block, block, block] where techniques need no more. */
  readonly gram: Float32Array;
  /**
   * What the float model has beyond the quantized one: (Xf - X)'X in the form of `gram` with its inputs, fp32 [n, k] (Yf - X W')'X
   * with its outputs; absent where nothing needs it. Where it ran on few windows the mean is over their tokens: both models
   * differ by little, so few tokens tell what a control variate leaves to tell; Xf'X of the few beside X'X of all would drown
   * it in how the few differ from all.
   */
  readonly beyond?: Float32Array;
}

/** The tokens that choices are judged by. */
export interface JudgedTokens {
  /** False where there are fewer than eight windows: then all tokens are here. */
  readonly heldOut: boolean;
  /** fp32 [rows, k]. */
  readonly inputs: Float32Array;
  /** fp32 [rows, k] or [rows, n], as the kind of reference says; absent too where the float model ran on none of these windows. */
  readonly reference?: Float32Array;
}

export interface GroupMoments {
  readonly k: number;
  readonly reference: ReferenceKind;
  readonly train: Moments;
  readonly judged: JudgedTokens;
}

export class GroupStatistics {
  readonly #gram: Float32Array;
  /** Sums of Xf'X or Yf'X where the float model runs on all windows, of (Xf - X)'X or (Yf - X W')'X where on few. */
  readonly #cross: Float32Array | undefined;
  readonly #inputs: TokenSketch;
  readonly #outputs: TokenSketch | undefined;
  /** Windows of the float model where they are not all. */
  readonly #few: readonly number[] | undefined;
  #tokens = 0;
  #fewTokens = 0;

  /** @param block columns of the diagonal blocks that are kept; k for the whole matrix @param windows how many there are */
  constructor(private readonly compute: Compute, private readonly k: number, private readonly block: number, private readonly reference: ReferenceKind, private readonly windows: number) {
    this.#gram = takeFloats(compute.stack, k * block).fill(0);
    this.#inputs = new TokenSketch(compute, k);
    if (reference.kind === 'none') return;
    this.#few = reference.windows;
    this.#cross = takeFloats(compute.stack, k * (reference.kind === 'inputs' ? block : reference.layer.n)).fill(0);
    const judged = this.#few === undefined || this.#few.some((index) => isHeldOut(index, windows));
    if (judged) this.#outputs = new TokenSketch(compute, reference.kind === 'inputs' ? k : reference.layer.n);
  }

  /** @param x inputs [count, tokens, k] of the windows @param reference of the float model, as the kind says, of those of the windows that it ran on */
  add(range: WindowRange, x: Float32Array, reference: Float32Array | undefined): void {
    this.#addRuns(range, x, this.#few === undefined ? reference : undefined);
    if (this.#few !== undefined && reference !== undefined) this.#addFew(windowsWithin(this.#few, range), range, x, reference);
  }

  finish(): GroupMoments {
    const { k, block, reference } = this;
    if (block === k) this.compute.kernels.algebra.mirror(this.#gram, k);
    divide(this.#gram, this.#tokens);
    const beyond = this.#beyond();
    return {
      k,
      reference,
      train: { tokens: this.#tokens, gram: this.#gram, ...(beyond === undefined ? {} : { beyond }) },
      judged: { heldOut: anyHeldOut(this.windows), inputs: this.#inputs.rows, ...(this.#outputs === undefined ? {} : { reference: this.#outputs.rows }) },
    };
  }

  #beyond(): Float32Array | undefined {
    const { compute, reference } = this;
    const [cross, gram] = [this.#cross, this.#gram];
    if (cross === undefined || reference.kind === 'none') return undefined;
    divide(cross, this.#few === undefined ? this.#tokens : this.#fewTokens);
    if (this.#few !== undefined) return cross;
    return reference.kind === 'inputs' ? difference(compute, cross, gram, cross) : residualProducts(compute, reference.layer, { gram, reference: cross });
  }

  /** Windows that are next to each other and of one use at once. */
  #addRuns({ first, count }: WindowRange, x: Float32Array, reference: Float32Array | undefined): void {
    for (let from = 0, to = 0; from < count; from = to) {
      const heldOut = isHeldOut(first + from, this.windows);
      while (to < count && isHeldOut(first + to, this.windows) === heldOut) to++;
      const [own, float] = [x, reference].map((all) => all?.subarray((from * all.length) / count, (to * all.length) / count)) as [Float32Array, Float32Array | undefined];
      if (!heldOut) this.#learn(own, float);
      if (!heldOut && anyHeldOut(this.windows)) continue;
      this.#inputs.add(own);
      if (float !== undefined) this.#outputs?.add(float);
    }
  }

  /** @param few indices of those of the windows that the float model ran on @param float what it has there [few, tokens, k or n] */
  #addFew(few: readonly number[], { first, count }: WindowRange, x: Float32Array, float: Float32Array): void {
    const [size, floatSize] = [x.length / count, float.length / few.length];
    few.forEach((index, i) => {
      const [own, beside] = [x.subarray((index - first) * size, (index - first + 1) * size), float.subarray(i * floatSize, (i + 1) * floatSize)];
      if (isHeldOut(index, this.windows)) this.#outputs?.add(beside);
      else this.#learnFew(own, beside);
    });
  }

  #learn(x: Float32Array, reference: Float32Array | undefined): void {
    const { compute: { kernels, products = kernels.algebra, threads }, k, block } = this;
    const tokens = x.length / k;
    this.#tokens += tokens;
    if (block === k) products.accumulateGram(this.#gram, x, tokens, k, threads);
    else kernels.algebra.accumulateBlocks(this.#gram, x, x, tokens, k, block, threads);
    if (reference !== undefined) this.#addCross(reference, x);
  }

  #learnFew(x: Float32Array, float: Float32Array): void {
    const { compute, k, reference } = this;
    this.#fewTokens += x.length / k;
    releasing(compute.stack, () => {
      const own = reference.kind === 'outputs' ? outputsOf(compute, reference.layer, x) : x;
      this.#addCross(difference(compute, float, own), x);
    });
  }

  /** @param float [tokens, k or n] */
  #addCross(float: Float32Array, x: Float32Array): void {
    const { compute: { kernels, products = kernels.algebra, threads }, k, block } = this;
    const tokens = x.length / k;
    const cross = this.#cross as Float32Array;
    if (this.reference.kind === 'inputs' && block !== k) kernels.algebra.accumulateBlocks(cross, float, x, tokens, k, block, threads);
    else products.accumulateCross(cross, float, x, tokens, float.length / tokens, k, threads);
  }
}

function divide(sums: Float32Array, count: number): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) / count;
}
