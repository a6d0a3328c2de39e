/** The rule of block floating point as it is stated, in float64 where that is exact. */

export interface BlockRule {
  /** Steps that share a scale. */
  readonly steps: number;
  /** The integer of the largest of them. */
  readonly bound: number;
}

export function blockOf(values: readonly number[], { bound }: BlockRule): { readonly integers: readonly number[]; readonly scale: number } {
  const largest = Math.max(...values.map(Math.abs));
  const inverse = Math.fround(bound / largest);
  const nearest = (x: number): number => Math.floor(x) + (x - Math.floor(x) > 0.5 || (x - Math.floor(x) === 0.5 && Math.floor(x) % 2 !== 0) ? 1 : 0);
  return { integers: values.map((x) => nearest(Math.fround(x * inverse))), scale: Math.fround(largest / bound) };
}
