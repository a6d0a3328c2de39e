/** What is kept of the inputs of a group of linear layers: second moments to learn from, and a sketch of tokens to judge by. */
import { takeFloats } from '../float-stack.js';
import type { WindowRange } from '../live-activations.js';
import type { Compute } from '../techniques/weight-matrix.js';
import { windowsWithin } from './float-windows.js';
import { anyHeldOut, isHeldOut } from './held-out.js';
import { MeanDifference } from './mean-difference.js';
import { TokenSketch } from './token-sketch.js';

/** What the float model contributes: the inputs of the group, of all windows or of those with the indices `windows`, or the `outputs` of its one layer. */
export type ReferenceKind = { readonly kind: 'none' } | { readonly kind: 'inputs'; readonly windows?: readonly number[] } | { readonly kind: 'outputs'; readonly outputs: number };

/** Means over the tokens that techniques learn from. */
export interface Moments {
  readonly tokens: number;
  /** fp32 [k, k] X'X, or its diagonal blocks [k / block, block, block] where techniques need no more. */
  readonly gram: Float32Array;
  /** Xf'X in the form of `gram` with the float model's inputs (where that ran on few windows: X'X and their mean difference), or fp32 [n, k] Yf'X with its outputs; absent where nothing needs it. */
  readonly cross?: Float32Array;
}

/** The tokens that choices are judged by. */
export interface JudgedTokens {
  /** False where there are fewer than eight windows: then all tokens are here. */
  readonly heldOut: boolean;
  /** fp32 [rows, k]. */
  readonly inputs: Float32Array;
  /** fp32 [rows, k] or [rows, n], as the kind of reference says; absent too where the float model ran on few windows. */
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
  readonly #cross: Float32Array | undefined;
  readonly #inputs: TokenSketch;
  readonly #outputs: TokenSketch | undefined;
  readonly #difference: MeanDifference | undefined;
  #tokens = 0;

  /** @param block columns of the diagonal blocks that are kept; k for the whole matrix */
  constructor(private readonly compute: Compute, private readonly k: number, private readonly block: number, private readonly reference: ReferenceKind, private readonly windows: number) {
    const few = reference.kind === 'inputs' && reference.windows !== undefined;
    this.#gram = takeFloats(compute.stack, k * block).fill(0);
    this.#cross = reference.kind === 'none' || few ? undefined : takeFloats(compute.stack, k * (reference.kind === 'inputs' ? block : reference.outputs)).fill(0);
    this.#inputs = new TokenSketch(compute, k);
    this.#difference = few ? new MeanDifference(compute, k, block) : undefined;
    this.#outputs = reference.kind === 'none' || few ? undefined : new TokenSketch(compute, reference.kind === 'inputs' ? k : reference.outputs);
  }

  /** @param x inputs [count, tokens, k] of the windows @param reference of the float model, as the kind says, of those of the windows that it ran on */
  add(range: WindowRange, x: Float32Array, reference: Float32Array | undefined): void {
    this.#addRuns(range, x, this.#difference === undefined ? reference : undefined);
    if (this.#difference !== undefined && reference !== undefined) this.#addDifferences(range, x, reference);
  }

  finish(): GroupMoments {
    const { k, block, reference } = this;
    if (block === k) this.compute.kernels.algebra.mirror(this.#gram, k);
    for (const sums of [this.#gram, this.#cross]) if (sums !== undefined) divide(sums, this.#tokens);
    const cross = this.#difference?.cross(this.#gram) ?? this.#cross;
    return {
      k,
      reference,
      train: { tokens: this.#tokens, gram: this.#gram, ...(cross === undefined ? {} : { cross }) },
      judged: { heldOut: anyHeldOut(this.windows), inputs: this.#inputs.rows, ...(this.#outputs === undefined ? {} : { reference: this.#outputs.rows }) },
    };
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

  /** @param float inputs [few, tokens, k] of those of the windows that the float model ran on */
  #addDifferences(range: WindowRange, x: Float32Array, float: Float32Array): void {
    const { windows = [] } = this.reference as ReferenceKind & { readonly kind: 'inputs' };
    const size = x.length / range.count;
    windowsWithin(windows, range).forEach((index, i) => this.#difference?.add(x.subarray((index - range.first) * size, (index - range.first + 1) * size), float.subarray(i * size, (i + 1) * size)));
  }

  #learn(x: Float32Array, reference: Float32Array | undefined): void {
    const { compute: { kernels, products = kernels.algebra, threads }, k, block } = this;
    const tokens = x.length / k;
    this.#tokens += tokens;
    if (block === k) products.accumulateGram(this.#gram, x, tokens, k, threads);
    else kernels.algebra.accumulateBlocks(this.#gram, x, x, tokens, k, block, threads);
    if (this.#cross === undefined || reference === undefined) return;
    if (this.reference.kind === 'inputs' && block !== k) kernels.algebra.accumulateBlocks(this.#cross, reference, x, tokens, k, block, threads);
    else products.accumulateCross(this.#cross, reference, x, tokens, reference.length / tokens, k, threads);
  }
}

function divide(sums: Float32Array, count: number): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) / count;
}
