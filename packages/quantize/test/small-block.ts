/** A decoder block that is small enough for finite differences and for TypeScript kernels. */
import type { Kernels } from '@tundish/native';
import { forwardBlock } from '../src/forward/block-forward.js';
import { type BlockShape, type BlockWeights, LINEAR_ROLES, type RopeTables, linearDims } from '../src/forward/block-weights.js';
import type { BlockTask } from '../src/techniques/reconstruction/reconstruct-block.js';

export const TOKENS = 5;
export const GROUPED: BlockShape = { hidden: 12, heads: 4, kvHeads: 2, headDim: 4, ffn: 10, epsilon: 1e-5 };

/** Numbers of about `size` without a pattern. */
export const noise = (seed: number, length: number, size = 1): Float32Array => Float32Array.from({ length }, (_, i) => size * Math.sin((i + 1) * 12.9898 + seed * 78.233 + ((i * i) % 17)));

export function weightsOf(shape: BlockShape, biases: boolean): BlockWeights {
  const linears = LINEAR_ROLES.map((role, seed) => {
    const dims = linearDims(role, shape);
    return [role, { weight: noise(seed, dims.out * dims.in, 0.5), ...(biases ? { bias: noise(seed + 20, dims.out, 0.3) } : {}) }] as const;
  });
  return { linears: Object.fromEntries(linears) as BlockWeights['linears'], attentionGain: noise(8, shape.hidden).map((x) => 1 + x / 3), mlpGain: noise(9, shape.hidden).map((x) => 1 - x / 3) };
}

const ANGLES = Array.from({ length: TOKENS * 2 }, (_, i) => Math.floor(i / 2) * (i % 2 === 0 ? 1 : 0.1));
export const rope: RopeTables = { cos: Float32Array.from(ANGLES, Math.cos), sin: Float32Array.from(ANGLES, Math.sin) };

/** Eight windows of a small block; the quantized stream is a little off the float one. */
export function taskOf(kernels: Kernels, threads: number, change: Partial<BlockTask> = {}): BlockTask {
  const weights = weightsOf(GROUPED, true);
  const context = { kernels, shape: GROUPED, threads };
  const float = (index: number): Float32Array => noise(100 + index, TOKENS * GROUPED.hidden);
  return {
    context, weights, rope,
    input: (index) => float(index).map((value, i) => value + 0.02 * Math.sin(i * index)),
    target: (index) => forwardBlock(context, weights, float(index), rope),
    train: [0, 1, 2, 3, 4, 5, 6], heldOut: [7],
    ...change,
  };
}
