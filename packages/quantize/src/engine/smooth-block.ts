/** Chooses smoothing factors for a decoder block, from the tokens that reach it, and puts them into its weights. */
import { setImmediate } from 'node:timers/promises';
import { LINEAR_GROUPS, type LinearGroup, forwardBlock } from '../forward/block-forward.js';
import { type BlockShape, type BlockWeights, type LinearRole, linearDims } from '../forward/block-weights.js';
import { type AwqFactors, awq } from '../techniques/awq/awq.js';
import { diagonal } from '../techniques/lpbq-grid/lpbq-grid.js';
import { type LayerWeight, dot, outputsOf } from '../techniques/weight-matrix.js';
import { commonBlock } from '../weight-scheme.js';
import { batchesOf } from './batches.js';
import { foldSmoothing } from './fold-smoothing.js';
import { type GroupMoments, GroupStatistics } from './group-statistics.js';
import type { BlockRequest } from './solve-block.js';
import { nearestValues } from './solve-group.js';

export interface SmoothingRequest extends Pick<BlockRequest, 'context' | 'weights' | 'rope' | 'options' | 'schemes' | 'windows' | 'quantized' | 'signal'> {
  /** Exponents that are tried. */
  readonly points: number;
}

export interface SmoothedBlock {
  /** Equal in function to those of the request. */
  readonly weights: BlockWeights;
  /** Exponent of each group; 0 where its factors are all 1. */
  readonly exponents: Readonly<Record<LinearGroup, number>>;
}

const GROUPS = Object.keys(LINEAR_GROUPS) as LinearGroup[];

/**
 * The factors are decided from the stream that the quantized blocks before give, run through this block in floating point:
 * those of o and down have to be known before v and up are rounded.
 *
 * @throws the reason of `signal`, between two windows or candidates
 */
export async function smoothBlock(request: SmoothingRequest): Promise<SmoothedBlock> {
  const moments = await measure(request);
  const chosen = new Map<LinearGroup, AwqFactors>();
  for (const group of GROUPS) chosen.set(group, await smoothGroup(request, group, moments[group]));
  const of = <Key extends keyof AwqFactors>(key: Key) => Object.fromEntries([...chosen].map(([group, found]) => [group, found[key]])) as Record<LinearGroup, AwqFactors[Key]>;
  return { weights: foldSmoothing(request.weights, request.context.shape, of('factors')), exponents: of('exponent') };
}

async function measure({ context, weights, rope, schemes, windows, quantized, signal }: SmoothingRequest): Promise<Record<LinearGroup, GroupMoments>> {
  const statistics = new Map(GROUPS.map((group) => {
    const k = linearDims(LINEAR_GROUPS[group][0], context.shape).in;
    return [group, new GroupStatistics(context, k, commonBlock(LINEAR_GROUPS[group].map((role) => schemes[role]), k), { kind: 'none' }, windows)];
  }));
  for (const batch of batchesOf(windows, context.windowLength)) {
    await setImmediate();
    signal.throwIfAborted();
    forwardBlock(context, weights, quantized.windows(batch), rope, (group, input) => statistics.get(group)?.add(batch, input, undefined));
  }
  return Object.fromEntries([...statistics].map(([group, sums]) => [group, sums.finish()])) as Record<LinearGroup, GroupMoments>;
}

function smoothGroup({ context, weights, options, points, schemes, signal }: SmoothingRequest, group: LinearGroup, moments: GroupMoments): Promise<AwqFactors> {
  const { shape } = context;
  const { k, train, judged } = moments;
  const loudness = diagonal(train.gram, k).map(Math.sqrt);
  return awq(LINEAR_GROUPS[group].map((role): LayerWeight => ({ w: weights.linears[role].weight, n: linearDims(role, shape).out, k })), {
    points,
    magnitudes: group === 'o' ? meanOverQueryHeads(loudness, shape) : loudness,
    loss: (e) => {
      const outputs = outputsOf(context, e, judged.inputs);
      return dot(outputs, outputs);
    },
    round: async (weight, factors, layer) => {
      await setImmediate();
      signal.throwIfAborted();
      return nearestValues({ compute: context, options, moments: { ...moments, train: { tokens: train.tokens, gram: dividedBlocks(train.gram, factors) } } }, { weight, scheme: schemes[LINEAR_GROUPS[group][layer] as LinearRole] });
    },
  });
}

/** The mean over the query heads of each value head, in the place of each of them: they read channels that are folded into the same rows. */
function meanOverQueryHeads(values: Float32Array, { heads, kvHeads, headDim }: BlockShape): Float32Array {
  const members = heads / kvHeads;
  const means = new Float32Array(values.length);
  for (let i = 0; i < means.length; i++) {
    const first = i - (Math.floor(i / headDim) % members) * headDim;
    for (let member = 0; member < members; member++) means[i] = (means[i] as number) + (values[first + member * headDim] as number) / members;
  }
  return means;
}

/** The blocks [k / block, block, block] of the Gram matrix of inputs that were divided by `factors` [k]. */
function dividedBlocks(blocks: Float32Array, factors: Float32Array): Float32Array {
  const size = blocks.length / factors.length;
  return blocks.map((value, i) => {
    const row = Math.floor(i / size);
    return value / ((factors[row] as number) * (factors[row - (row % size) + (i % size)] as number));
  });
}
