/** Where the straight-through estimator lets gradients pass. */

/** Whether rint(x) is a code: -bound is even and bound - 1 odd, so -bound - 1/2 rounds to -bound and bound - 1/2 to bound. */
export function isInside(x: number, bound: number): boolean {
  return x >= -bound - 0.5 && x < bound - 0.5;
}
