/** What codes cost in the output of a layer, on the tokens that choices are judged by. */
import type { ScaleGrid } from '@tundish/native';
import { releasing } from '../float-stack.js';
import { type Compute, type LayerWeight, dequantize, dot, outputsOf } from '../techniques/weight-matrix.js';
import type { GroupMoments } from './group-statistics.js';

export interface CodeError {
  /** |Q X - Yf|²: smaller is better; against the quantized model's own inputs where the float model is not known. */
  readonly loss: number;
  /** |(Q - W) X|² / |W X|². */
  readonly rounding: number;
}

export class Judge {
  /** fp32 [rows, n] of the weight itself, and of the float model. */
  readonly #own: Float32Array;
  readonly #wanted: Float32Array;
  readonly #size: number;

  constructor(private readonly compute: Compute, private readonly moments: GroupMoments, private readonly weight: LayerWeight, private readonly grid: ScaleGrid) {
    const { reference, judged } = moments;
    this.#own = this.#outputs(weight.w, judged.inputs);
    this.#wanted = judged.reference === undefined ? this.#own : reference.kind === 'outputs' ? judged.reference : this.#outputs(weight.w, judged.reference);
    this.#size = dot(this.#own, this.#own);
  }

  /** The part of a correction, 0 to 1, that these tokens like best: the minimum of a parabola. @param correction fp32 [n, k] */
  bestPart(correction: Float32Array): number {
    return releasing(this.compute.stack, () => {
      const moved = this.#outputs(correction, this.moments.judged.inputs);
      const curvature = dot(moved, moved);
      const descent = dot(moved, this.#wanted) - dot(moved, this.#own);
      return curvature > 0 ? Math.min(Math.max(descent / curvature, 0), 1) : 0;
    });
  }

  error(codes: Int8Array): CodeError {
    return releasing(this.compute.stack, () => {
      const outputs = this.#outputs(dequantize(this.compute, codes, this.grid), this.moments.judged.inputs);
      const rounding = squaredDistance(outputs, this.#own);
      return { loss: this.#wanted === this.#own ? rounding : squaredDistance(outputs, this.#wanted), rounding: this.#size > 0 ? rounding / this.#size : 0 };
    });
  }

  #outputs(w: Float32Array, inputs: Float32Array): Float32Array {
    return outputsOf(this.compute, { ...this.weight, w }, inputs);
  }
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return sum;
}
