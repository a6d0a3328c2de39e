/** Cosines and sines of positions, computed in float64 from inverse frequencies: inputs of every graph. */
import type { ContainerRope } from './manifest.js';

/** float64, row-major [rows, R/2]; the attention scaling is included. */
export interface RopeTable {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/** One row per position. */
export function ropeTable(rope: ContainerRope, positions: readonly number[]): RopeTable {
  const pairs = rope.inverseFrequencies.length;
  const cos = new Float64Array(positions.length * pairs);
  const sin = new Float64Array(positions.length * pairs);
  positions.forEach((position, row) => {
    rope.inverseFrequencies.forEach((frequency, i) => {
      const angle = position * frequency;
      cos[row * pairs + i] = Math.cos(angle) * rope.attentionScaling;
      sin[row * pairs + i] = Math.sin(angle) * rope.attentionScaling;
    });
  });
  return { cos, sin };
}
