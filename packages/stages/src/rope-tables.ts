/** cos and sin of consecutive positions as float32: what a floating-point graph reads. */
import { ropeTable } from '@tundish/container';
import type { ModelFacts } from './load/stage.js';

export interface RopeTables {
  /** float32 [count, headDim/2], row p for position `first + p`; the attention scaling is included. */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Rows for `count` positions from `first` on. */
export function ropeTables(rope: ModelFacts['rope'], first: number, count: number): RopeTables {
  const { cos, sin } = ropeTable(rope, Array.from({ length: count }, (_, row) => first + row));
  return { cos: Float32Array.from(cos), sin: Float32Array.from(sin) };
}
