/** What codes cost in the output of a layer, on the tokens that choices are judged by. */
import type { ScaleGrid } from '@tundish/native';
import { type Compute, type LayerWeight, dequantize, timesSymmetric } from '../techniques/weight-matrix.js';
import { type GroupMoments, type PartStatistics, referenceProducts } from './group-statistics.js';

export interface CodeError {
  /** |Q X - Yf|² but for what all codes share: smaller is better. */
  readonly loss: number;
  /** |(Q - W) X|² / |W X|². */
  readonly rounding: number;
}

/** Judges codes of one layer on held-out tokens, or on all where none are held out. */
export class Judge {
  readonly #part: PartStatistics;
  /** Yf'X - W X'X; absent where the float model is not known. */
  readonly #slope: Float32Array | undefined;
  readonly #size: number;

  constructor(private readonly compute: Compute, moments: GroupMoments, private readonly weight: LayerWeight, private readonly grid: ScaleGrid) {
    const { w, n, k } = weight;
    this.#part = moments.heldOut ?? moments.train;
    const products = timesSymmetric(compute, w, this.#part.gram, n, k);
    this.#size = dot(products, w);
    const reference = referenceProducts(compute, moments, this.#part, w);
    this.#slope = reference?.map((value, i) => value - (products[i] as number));
  }

  error(codes: Int8Array): CodeError {
    const { weight: { w, n, k }, compute: { kernels, threads } } = this;
    const e = dequantize(codes, this.grid).map((value, i) => value - (w[i] as number));
    const rounding = kernels.solvers.rowLosses(e, this.#part.gram, n, k, threads).reduce((sum, loss) => sum + loss, 0);
    return { loss: rounding - (this.#slope === undefined ? 0 : 2 * dot(e, this.#slope)), rounding: this.#size > 0 ? rounding / this.#size : 0 };
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
