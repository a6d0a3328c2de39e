/** cos and sin tables for the inputs of a graph, in float64 and stored as float32. */
import type { ModelFacts } from './load/stage.js';

export interface RopeTables {
  /** float32 [count, headDim/2], row p for position `first + p`; the attention scaling is included. */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Rows for `count` positions from `first` on. */
export function ropeTables(rope: ModelFacts['rope'], first: number, count: number): RopeTables {
  const half = rope.inverseFrequencies.length;
  const cos = new Float32Array(count * half);
  const sin = new Float32Array(count * half);
  for (let p = 0; p < count; p++) {
    rope.inverseFrequencies.forEach((frequency, i) => {
      const angle = (first + p) * frequency;
      cos[p * half + i] = Math.cos(angle) * rope.attentionScaling;
      sin[p * half + i] = Math.sin(angle) * rope.attentionScaling;
    });
  }
  return { cos, sin };
}
