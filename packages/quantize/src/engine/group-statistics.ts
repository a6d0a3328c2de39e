/** Second moments of the inputs of a group of linear layers, over windows of calibration tokens, a part of them held out. */
import { type Compute, timesSymmetric } from '../techniques/weight-matrix.js';

/** Every eighth window decides choices and is never learned from. */
const HELD_OUT_EVERY = 8;

/** Sums over some of the tokens, divided by their number. */
export interface PartStatistics {
  readonly tokens: number;
  /** fp32 [k, k] X'X. */
  readonly gram: Float32Array;
  /** fp32 [k, k] Xf'X with the float model's inputs, or [n, k] Yf'X with its outputs; absent where nothing needs it. */
  readonly cross?: Float32Array;
}

/** What the float model contributes: the inputs of the group, or the `outputs` of its one layer. */
export type ReferenceKind = { readonly kind: 'none' } | { readonly kind: 'inputs' } | { readonly kind: 'outputs'; readonly outputs: number };

export interface GroupMoments {
  readonly k: number;
  readonly reference: ReferenceKind;
  readonly train: PartStatistics;
  /** Absent where there are fewer than eight windows. */
  readonly heldOut?: PartStatistics;
}

/** Whether window `index` of `count` is held out. */
export function isHeldOut(index: number, count: number): boolean {
  return count >= HELD_OUT_EVERY && index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1;
}

interface Sums {
  tokens: number;
  readonly gram: Float32Array;
  readonly cross: Float32Array | undefined;
}

export class GroupStatistics {
  readonly #train: Sums;
  readonly #heldOut: Sums | undefined;

  constructor(private readonly compute: Compute, private readonly k: number, private readonly reference: ReferenceKind, private readonly windows: number) {
    this.#train = this.#empty();
    this.#heldOut = windows < HELD_OUT_EVERY ? undefined : this.#empty();
  }

  /** @param x inputs [tokens, k] of window `index` @param reference of the float model, as the kind says */
  add(index: number, x: Float32Array, reference: Float32Array | undefined): void {
    const { kernels, threads } = this.compute;
    const sums = isHeldOut(index, this.windows) && this.#heldOut !== undefined ? this.#heldOut : this.#train;
    const tokens = x.length / this.k;
    kernels.algebra.accumulateGram(sums.gram, x, tokens, this.k, threads);
    if (sums.cross !== undefined && reference !== undefined) kernels.algebra.accumulateCross(sums.cross, reference, x, tokens, reference.length / tokens, this.k, threads);
    sums.tokens += tokens;
  }

  finish(): GroupMoments {
    const heldOut = this.#heldOut === undefined ? undefined : this.#means(this.#heldOut);
    return { k: this.k, reference: this.reference, train: this.#means(this.#train), ...(heldOut === undefined ? {} : { heldOut }) };
  }

  #empty(): Sums {
    const { k, reference } = this;
    const rows = reference.kind === 'none' ? 0 : reference.kind === 'inputs' ? k : reference.outputs;
    return { tokens: 0, gram: new Float32Array(k * k), cross: rows === 0 ? undefined : new Float32Array(rows * k) };
  }

  #means({ tokens, gram, cross }: Sums): PartStatistics {
    this.compute.kernels.algebra.mirror(gram, this.k);
    divide(gram, tokens);
    if (cross === undefined) return { tokens, gram };
    divide(cross, tokens);
    return { tokens, gram, cross };
  }
}

/** Yf'X of one layer of the group: fp32 [n, k]. @param w the layer's weight [n, k] */
export function referenceProducts(compute: Compute, moments: GroupMoments, part: PartStatistics, w: Float32Array): Float32Array | undefined {
  if (part.cross === undefined || moments.reference.kind === 'outputs') return part.cross;
  return timesSymmetric(compute, w, part.cross, w.length / moments.k, moments.k);
}

function divide(sums: Float32Array, count: number): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) / count;
}
