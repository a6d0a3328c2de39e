/** Cosines and sines of positions, computed in float64 from the inverse frequencies of the container. */

export interface Rope {
  /** R/2 values. */
  readonly inverseFrequencies: readonly number[];
  /** Factor on both cos and sin. */
  readonly attentionScaling: number;
}

/**
 * Rows of `ar` positions [ar, R/2]: row r is position start + r for r < count; the padding rows are position 0.
 */
export function ropeRows(rope: Rope, start: number, count: number, ar: number): { readonly cos: Float64Array; readonly sin: Float64Array } {
  const pairs = rope.inverseFrequencies.length;
  const cos = new Float64Array(ar * pairs);
  const sin = new Float64Array(ar * pairs);
  for (let row = 0; row < ar; row++) {
    const position = row < count ? start + row : 0;
    for (let i = 0; i < pairs; i++) {
      const angle = position * (rope.inverseFrequencies[i] as number);
      cos[row * pairs + i] = Math.cos(angle) * rope.attentionScaling;
      sin[row * pairs + i] = Math.sin(angle) * rope.attentionScaling;
    }
  }
  return { cos, sin };
}
