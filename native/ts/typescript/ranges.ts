/** Min-max ranges and scales in fp32, in the order of steps of AIMET 2.42 (aimet_torch, min-max analyzer). */

const { fround } = Math;

/** AIMET's smallest scale for 4, 8 and 16 bits: the fp32 machine epsilon. */
export const SCALE_FLOOR = 2 ** -23;

/** Adding and subtracting this rounds a small double to an integer, half to even. */
const ROUNDING_MAGIC = 1.5 * 2 ** 52;

/** Clamps to the integer bounds, then rounds half to even; a NaN becomes `low`. */
export function clampRound(value: number, low: number, high: number): number {
  const raised = value >= low ? value : low;
  const clamped = raised > high ? high : raised;
  return clamped + ROUNDING_MAGIC - ROUNDING_MAGIC;
}

/**
 * Range of the symmetric full grid of `bits` bits for values in [min, max], min <= 0 <= max: [-m d, p d] in fp32 with
 * d = max(max / p, -min / m), p = 2^(bits-1) - 1 and m = p + 1. A range whose scale is below the floor is widened by
 * floor * steps first, as AIMET does, not replaced.
 */
export function symmetricRange(min: number, max: number, bits: number): { readonly min: number; readonly max: number } {
  const m = 2 ** (bits - 1);
  const p = m - 1;
  let low = min;
  let high = max;
  if (fround(fround(high - low) / (p + m)) < SCALE_FLOOR) {
    low = fround(low - m * SCALE_FLOOR);
    high = fround(high + p * SCALE_FLOOR);
  }
  const positive = fround(high / p);
  const negative = fround(-low / m);
  const d = positive > negative ? positive : negative;
  return { min: -fround(m * d), max: fround(p * d) };
}

/** Scale of that grid: (max - min) / (p + m) of its range, not below the floor, every step in fp32. */
export function symmetricScale(min: number, max: number, bits: number): number {
  const range = symmetricRange(min, max, bits);
  const scale = fround(fround(range.max - range.min) / (2 ** bits - 1));
  return scale > SCALE_FLOOR ? scale : SCALE_FLOOR;
}

/** SeqMSE's candidate c of C for a range that has this scale: the range times (c + 1) / C, and its scale again. */
export function candidateScale(scale: number, c: number, candidates: number, bits: number): number {
  const bound = 2 ** (bits - 1);
  const part = (end: number): number => fround(fround(fround(end * scale) / candidates) * (c + 1));
  return symmetricScale(part(-bound), part(bound - 1), bits);
}

/** Smallest value of w[start..end), at most 0. */
export function lowerEnd(w: Float32Array, start: number, end: number): number {
  let min = 0;
  for (let i = start; i < end; i++) {
    const x = w[i] as number;
    if (x < min) min = x;
  }
  return min;
}

/** Largest value of w[start..end), at least 0. */
export function upperEnd(w: Float32Array, start: number, end: number): number {
  let max = 0;
  for (let i = start; i < end; i++) {
    const x = w[i] as number;
    if (x > max) max = x;
  }
  return max;
}
