/** Golden vectors of a fixture, and the feeds of one pass over all its tokens with one masked cache position. */
import { join } from 'node:path';
import { type Checkpoint, type SafetensorsTensor, readSafetensorsHeader, readTensorBytes, ropeFrequencies, widenToFloat32 } from '@tundish/checkpoint';
import type { Adaptation } from '../src/index.js';
import type { Feeds } from './ort-session.js';

export interface Golden {
  readonly ids: readonly number[];
  float(name: string): Promise<Float32Array>;
}

export async function openGolden(folder: string): Promise<Golden> {
  const path = join(folder, 'golden.safetensors');
  const { tensors } = await readSafetensorsHeader(path);
  const bytes = async (name: string): Promise<Uint8Array> => readTensorBytes(path, tensors.get(name) as SafetensorsTensor);
  const stored = await bytes('input_ids');
  const ids = Array.from(new BigInt64Array(stored.slice().buffer), Number);
  return { ids, float: async (name) => widenToFloat32('F32', await bytes(name)) };
}

/** Additive mask value of these runs: its exponential is exactly 0 in float32. */
export const MASKED = -1e4;

/** `ids` at positions 0.., preceded by CL-AR cache positions that hold `garbage` and are masked. */
export function prefillFeeds(checkpoint: Checkpoint, { dims }: Adaptation, ids: readonly number[], past: number, garbage = 0): Feeds {
  const { kvHeads, headDim, layers } = dims;
  const ar = ids.length;
  const cl = ar + past;
  const { inverseFrequencies, attentionScaling } = ropeFrequencies(checkpoint.config);
  const table = (f: (angle: number) => number): Float32Array =>
    Float32Array.from({ length: (ar * headDim) / 2 }, (_, i) => f(Math.floor(i / (headDim / 2)) * (inverseFrequencies[i % (headDim / 2)] ?? 0)) * attentionScaling);
  const mask = Float32Array.from({ length: ar * cl }, (_, i) => (i % cl >= past && (i % cl) - past <= Math.floor(i / cl) ? 0 : MASKED));
  const cache = (): Float32Array => new Float32Array(kvHeads * headDim * past).fill(garbage);
  const feeds: Record<string, Feeds[string]> = {
    input_ids: { dims: [1, ar], data: Int32Array.from(ids) },
    attention_mask: { dims: [1, 1, ar, cl], data: mask },
    position_ids_cos: { dims: [1, 1, ar, headDim / 2], data: table(Math.cos) },
    position_ids_sin: { dims: [1, 1, ar, headDim / 2], data: table(Math.sin) },
  };
  for (let layer = 0; layer < layers; layer++) {
    feeds[`past_key_${layer}_in`] = { dims: [kvHeads, 1, headDim, past], data: cache() };
    feeds[`past_value_${layer}_in`] = { dims: [kvHeads, 1, past, headDim], data: cache() };
  }
  return feeds;
}

/** Largest absolute difference; NaN anywhere gives NaN. */
export function maxAbs(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
    if (!(difference <= max)) max = difference;
  }
  return max;
}
