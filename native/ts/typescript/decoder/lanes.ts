/** Sums in parts: the order of additions that vectors of any width can follow. */

const { fround } = Math;

/** Partial sums of a row, by column mod LANES. */
export const LANES = 16;

/** Adds a power of two of parts as a tree: the upper half to the lower half, until one is left. Overwrites `parts`. */
export function treeSum(parts: Float32Array): number {
  for (let half = parts.length / 2; half >= 1; half /= 2) {
    for (let i = 0; i < half; i++) parts[i] = fround((parts[i] as number) + (parts[i + half] as number));
  }
  return parts[0] as number;
}
