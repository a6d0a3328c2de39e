/** SignRound (Cheng et al. 2023): rounding offsets of a block's projections are learned by the signs of their gradients, on fixed scales. */
import type { ScaleGrid, SignRoundLayer } from '@tundish/native';
import { type BlockReconstruction, type BlockTask, type LearnedWeight, type LearningOptions, type Progress, reconstructBlock } from '../reconstruction/reconstruct-block.js';
import type { Compute, LayerWeight } from '../weight-matrix.js';
import { type LinearRole, linearDims, perRole } from '../../forward/block-weights.js';

/** Half a step, less what rounding could carry over the edge. */
const HALF = 0.499;

/** Where the learning of one weight begins. */
export interface SignRoundStart {
  readonly grid: ScaleGrid;
  /** int8 [n, k]. */
  readonly codes: Int8Array;
  /** fp32 [n, k] that the codes stand for: the weight, or a corrected one. */
  readonly target: Float32Array;
}

export async function signRound(task: BlockTask, starts: Readonly<Record<LinearRole, SignRoundStart>>, options: LearningOptions): Promise<BlockReconstruction> {
  const { context } = task;
  const learned = perRole((role) => {
    const { out: n, in: k } = linearDims(role, context.shape);
    return new SignRoundWeight(context, { n, k }, starts[role]);
  });
  return reconstructBlock(task, learned, options);
}

/** One weight: W / S + V rounded, V in -1/2..1/2, W as near to the target as the first codes allow. */
export class SignRoundWeight implements LearnedWeight {
  readonly values: Float32Array;
  readonly #layer: SignRoundLayer;

  constructor(private readonly compute: Compute, { n, k }: Omit<LayerWeight, 'w'>, start: SignRoundStart) {
    this.#layer = { w: withinCells(start), n, k, grid: start.grid, v: new Float32Array(n * k), threads: compute.threads };
    this.values = new Float32Array(n * k);
    compute.kernels.reconstruction.signRoundValues(this.#layer, this.values);
  }

  step(gradient: Float32Array, { done, iterations }: Progress): void {
    const { reconstruction } = this.compute.kernels;
    reconstruction.signRoundStep(this.#layer, gradient, (1 / iterations) * (1 - done / iterations));
    reconstruction.signRoundValues(this.#layer, this.values);
  }

  fold(out: Float32Array): ScaleGrid {
    out.set(this.values);
    return this.#layer.grid;
  }
}

/** What lies nearest to the target and still rounds to the codes: where they came by rounding to nearest, the target itself. */
function withinCells({ grid: { scale, block }, codes, target }: SignRoundStart): Float32Array {
  const w = new Float32Array(target.length);
  for (let i = 0; i < w.length; i++) {
    const size = scale[Math.floor(i / block)] as number;
    const code = codes[i] as number;
    w[i] = Math.min(Math.max(target[i] as number, (code - HALF) * size), (code + HALF) * size);
  }
  return w;
}
