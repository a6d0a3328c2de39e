/** What codes cost in the output of a layer, on the tokens that choices are judged by. */
import type { ScaleGrid } from '@tundish/native';
import { partAlong } from '../techniques/target-correction/target-correction.js';
import { type Compute, type LayerWeight, dequantize, dot, outputLoss, timesSymmetric } from '../techniques/weight-matrix.js';
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

  /** The part of a correction that these tokens like best; none where the float model is not known. */
  bestPart(correction: Float32Array): number {
    return this.#slope === undefined ? 0 : partAlong(this.compute, this.weight, correction, this.#slope, this.#part.gram);
  }

  error(codes: Int8Array): CodeError {
    const { w, n, k } = this.weight;
    const e = dequantize(codes, this.grid).map((value, i) => value - (w[i] as number));
    const rounding = outputLoss(this.compute, e, this.#part.gram, n, k);
    return { loss: rounding - (this.#slope === undefined ? 0 : 2 * dot(e, this.#slope)), rounding: this.#size > 0 ? rounding / this.#size : 0 };
  }
}
