/** AdaScale of AIMET 2.42: ranges and weights of a block's projections are learned through factors that begin at one. */
import { type AdaScaleLayer, type ScaleGrid, symmetricRange } from '@tundish/native';
import { type BlockReconstruction, type BlockTask, type LearnedWeight, type LearningOptions, type Progress, reconstructBlock } from '../reconstruction/reconstruct-block.js';
import type { Compute, LayerWeight } from '../weight-matrix.js';
import { type LinearRole, linearDims, perRole } from '../../forward/block-weights.js';

/** Learning rates of AIMET: of the ends of the range, and of the factors of weights. */
const RANGE_RATE = 1e-3;
const WEIGHT_RATE = 5e-4;

/** The grid that scales are learned on. */
export interface AdaScaleGrid {
  /** Columns that share a scale; absent: all of a row. */
  readonly block?: number;
  readonly bits: number;
  /** What the device makes of float scales [n, k / block], such as LPBQ; absent: it takes them as they are. */
  readonly compress?: (scale: Float32Array, n: number) => Float32Array;
}

/** @throws KERNEL_ARGUMENT when a block does not divide its inputs */
export async function adaScale(task: BlockTask, grids: Readonly<Record<LinearRole, AdaScaleGrid>>, options: LearningOptions): Promise<BlockReconstruction> {
  const { context, weights } = task;
  const learned = perRole((role) => {
    const { out: n, in: k } = linearDims(role, context.shape);
    return new AdaScaleWeight(context, { w: weights.linears[role].weight, n, k }, grids[role]);
  });
  return reconstructBlock(task, learned, options);
}

/** One weight, from min-max on. Gradients go through compressed scales to the float ones as if they were these. */
export class AdaScaleWeight implements LearnedWeight {
  readonly values: Float32Array;
  /** The parameters, with their moments. */
  readonly layer: AdaScaleLayer;
  #scale: Float32Array;

  constructor(private readonly compute: Compute, { w, n, k }: LayerWeight, private readonly grid: AdaScaleGrid) {
    const { block = k, bits } = grid;
    const parameters = (count: number): Float32Array => new Float32Array(3 * count);
    const count = (n * k) / block;
    this.layer = { w, n, k, block, bits, range: rangesOf(w, block, bits), beta: parameters(count), gamma: parameters(count), s2: parameters(n * k), s3: parameters(n), threads: compute.threads };
    this.values = new Float32Array(n * k);
    this.#scale = this.#quantize();
  }

  step(gradient: Float32Array, { done, iterations }: Progress): void {
    const part = (1 + Math.cos((Math.PI * done) / iterations)) / 2;
    this.compute.kernels.reconstruction.adaScaleStep(this.layer, this.#scale, gradient, { range: RANGE_RATE * part, weight: WEIGHT_RATE * part, step: done + 1 });
    this.#scale = this.#quantize();
  }

  /** W / e^s2 / e^s3. */
  fold(out: Float32Array): ScaleGrid {
    this.compute.kernels.reconstruction.adaScaleValues(this.layer, this.#scale, true, out);
    return { scale: this.#scale, block: this.layer.block, bits: this.layer.bits };
  }

  /** Makes the values; gives the scales that they are on. */
  #quantize(): Float32Array {
    const { reconstruction } = this.compute.kernels;
    const float = reconstruction.adaScaleGrid(this.layer);
    const scale = this.grid.compress === undefined ? float : this.grid.compress(float, this.layer.n);
    reconstruction.adaScaleValues(this.layer, scale, false, this.values);
    return scale;
  }
}

/** Ends of the min-max grids: smallest values of all blocks, then largest ones. */
function rangesOf(w: Float32Array, block: number, bits: number): Float32Array {
  const count = w.length / block;
  const range = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    let [low, high] = [0, 0];
    for (let at = i * block; at < (i + 1) * block; at++) {
      const value = w[at] as number;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const { min, max } = symmetricRange(low, high, bits);
    range[i] = min;
    range[count + i] = max;
  }
  return range;
}
