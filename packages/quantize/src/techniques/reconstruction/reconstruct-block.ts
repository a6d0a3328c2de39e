/** Block-wise reconstruction: all projections of a decoder block are learned together, so that it gives what the float block gives. */
import { setImmediate } from 'node:timers/promises';
import type { ScaleGrid } from '@tundish/native';
import { type WeightGradients, backwardBlock, traceBlock } from '../../forward/block-backward.js';
import { type BlockContext, forwardBlock } from '../../forward/block-forward.js';
import { type BlockWeights, LINEAR_ROLES, type LinearRole, type RopeTables, perRole } from '../../forward/block-weights.js';

/** Looks at the held-out windows, spread over the iterations. */
const CHECKS = 16;

/** What a block is learned from: windows of tokens, in the order of learning. */
export interface BlockTask {
  readonly context: BlockContext;
  /** The float block; its gains and biases are those of the quantized one too. */
  readonly weights: BlockWeights;
  readonly rope: RopeTables;
  /** Residual stream [tokens, hidden] that enters the quantized block in window `index`. */
  input(index: number): Float32Array;
  /** Residual stream [tokens, hidden] that leaves the float block, fed by the float model. */
  target(index: number): Float32Array;
  /** Windows that are learned from, cyclically in this order. */
  readonly train: readonly number[];
  /** Windows that decide which iterate is kept, and are never learned from. Without any the last one is kept. */
  readonly heldOut: readonly number[];
  readonly signal?: AbortSignal;
}

export interface LearningOptions {
  readonly iterations: number;
  /** Of an iteration: as many whole windows as fit, at least one. */
  readonly tokens: number;
}

/** Where in the iterations a step is: 0 <= done < iterations. */
export interface Progress {
  readonly done: number;
  readonly iterations: number;
}

/** One weight while it is learned. */
export interface LearnedWeight {
  /** fp32 [out, in] on the grid, as they are now; overwritten by the next step. */
  readonly values: Float32Array;
  /** @param gradient fp32 [out, in] of the loss in the values */
  step(gradient: Float32Array, progress: Progress): void;
  /** Writes the weight that is `values` when it is rounded to nearest on the grid that is returned. */
  fold(out: Float32Array): ScaleGrid;
}

/** A weight fp32 [out, in] whose rounding to nearest on `grid` is what was learned. */
export interface FoldedWeight {
  readonly weight: Float32Array;
  readonly grid: ScaleGrid;
}

export interface BlockReconstruction {
  readonly linears: Readonly<Record<LinearRole, FoldedWeight>>;
  /** |Y - target|² / |target|² on held-out windows, on all where none are held out: as it began, and of what was kept. */
  readonly before: number;
  readonly after: number;
}

/**
 * Minimises the sum over tokens of the squared error of the block's output, a mean over its columns, as AIMET does. Nothing is
 * drawn at random.
 *
 * @returns the best of the first and of sixteen later iterates
 * @throws the reason of the signal
 */
export async function reconstructBlock(task: BlockTask, learned: Readonly<Record<LinearRole, LearnedWeight>>, options: LearningOptions): Promise<BlockReconstruction> {
  const sums = perRole((role) => new Float32Array(learned[role].values.length));
  const folded = perRole((role) => new Float32Array(learned[role].values.length));
  const student = studentOf(task, learned);
  const keep = (): Record<LinearRole, ScaleGrid> => perRole((role) => learned[role].fold(folded[role]));
  const before = await blockLoss(task, student);
  let [after, grids] = [before, keep()];
  const { iterations, tokens } = options;
  const count = Math.max(1, Math.floor((tokens * task.context.shape.hidden) / task.input(task.train[0] as number).length));
  const every = Math.ceil(iterations / CHECKS);
  for (let done = 0; done < iterations; done++) {
    await addGradients(task, student, Array.from({ length: count }, (_, i) => task.train[(done * count + i) % task.train.length] as number), sums);
    for (const role of LINEAR_ROLES) learned[role].step(sums[role], { done, iterations });
    const isLast = done + 1 === iterations;
    const isChecked = isLast || (task.heldOut.length > 0 && (done + 1) % every === 0);
    const loss = isChecked ? await blockLoss(task, student) : Infinity;
    if (loss < after || (isLast && task.heldOut.length === 0)) [after, grids] = [loss, keep()];
  }
  return { linears: perRole((role) => ({ weight: folded[role], grid: grids[role] })), before, after };
}

/** The block with the weights that are learned, as they are at any time. */
function studentOf({ weights }: BlockTask, learned: Readonly<Record<LinearRole, LearnedWeight>>): BlockWeights {
  return { ...weights, linears: perRole((role) => ({ ...weights.linears[role], weight: learned[role].values })) };
}

/** Gradients of the loss over some windows in the weights of the student, in place of what `sums` held. */
async function addGradients(task: BlockTask, student: BlockWeights, windows: readonly number[], sums: WeightGradients): Promise<void> {
  const { context, rope } = task;
  for (const role of LINEAR_ROLES) sums[role].fill(0);
  for (const index of windows) {
    await setImmediate();
    task.signal?.throwIfAborted();
    const trace = traceBlock(context, student, task.input(index), rope);
    const target = task.target(index);
    const gradient = trace.output.map((value, i) => (2 * (value - (target[i] as number))) / context.shape.hidden);
    backwardBlock(context, student, rope, trace, gradient, sums);
  }
}

/** |Y - target|² / |target|² of a block with these weights on the held-out windows, on all where none are held out. */
export async function blockLoss(task: BlockTask, student: BlockWeights): Promise<number> {
  let [error, size] = [0, 0];
  for (const index of task.heldOut.length === 0 ? task.train : task.heldOut) {
    await setImmediate();
    task.signal?.throwIfAborted();
    const output = forwardBlock(task.context, student, task.input(index), task.rope);
    const target = task.target(index);
    for (let i = 0; i < output.length; i++) {
      error += ((output[i] as number) - (target[i] as number)) ** 2;
      size += (target[i] as number) ** 2;
    }
  }
  return error / size;
}
