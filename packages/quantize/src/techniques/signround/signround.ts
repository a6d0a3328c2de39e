/** SignRound (Cheng et al. 2023): rounding offsets of a block's projections are learned by the signs of their gradients, on fixed scales. */
import type { ScaleGrid, SignRoundLayer } from '@tundish/native';
import { type BlockReconstruction, type BlockTask, type LearnedWeight, type LearningOptions, type Progress, reconstructBlock } from '../reconstruction/reconstruct-block.js';
import type { Compute, LayerWeight } from '../weight-matrix.js';
import { type LinearRole, linearDims, perRole } from '../../forward/block-weights.js';

/**
 * Steps from its centre at which a code begins that is not the nearest: as far from the edge. What feedback moved there would
 * go back at the first sign of noise if it began at the edge.
 */
const OFF_CENTRE = 0.25;

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

/** One weight: W / S + V rounded, V in -1/2..1/2, W the target or what the first codes make of it. */
export class SignRoundWeight implements LearnedWeight {
  readonly values: Float32Array;
  readonly #layer: SignRoundLayer;

  constructor(private readonly compute: Compute, { n, k }: Omit<LayerWeight, 'w'>, start: SignRoundStart) {
    this.#layer = { w: withinCells(compute, { n, k }, start), n, k, grid: start.grid, v: new Float32Array(n * k), threads: compute.threads };
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

/** The target where the code is the nearest to it; else a place in the code's cell, on the side of the target. */
function withinCells({ kernels, threads }: Compute, { n, k }: Omit<LayerWeight, 'w'>, { grid, codes, target }: SignRoundStart): Float32Array {
  const nearest = kernels.solvers.roundToGrid({ w: target, n, k, threads }, grid);
  return target.map((value, i) => {
    const code = codes[i] as number;
    if (nearest[i] === code) return value;
    return (code + Math.sign((nearest[i] as number) - code) * OFF_CENTRE) * (grid.scale[Math.floor(i / grid.block)] as number);
  });
}
