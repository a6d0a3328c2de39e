/** Which axes of the named inputs and outputs of an adapted graph are AR, CL and CL-AR. */

/** Tokens a pass and attention length. */
export interface GraphSize {
  readonly ar: number;
  readonly cl: number;
}

/** What an axis counts: tokens of the pass, positions attended to, or positions of the cache that enters. */
export type Axis = 'ar' | 'cl' | 'past';

const RULES: readonly { readonly name: RegExp; readonly axes: readonly (Axis | undefined)[] }[] = [
  { name: /^input_ids$/, axes: [undefined, 'ar'] },
  { name: /^attention_mask$/, axes: [undefined, undefined, 'ar', 'cl'] },
  { name: /^position_ids_(cos|sin)$/, axes: [undefined, undefined, 'ar', undefined] },
  { name: /^past_key_\d+_in$/, axes: [undefined, undefined, undefined, 'past'] },
  { name: /^past_value_\d+_in$/, axes: [undefined, undefined, 'past', undefined] },
  { name: /^past_key_\d+_out$/, axes: [undefined, undefined, undefined, 'ar'] },
  { name: /^past_value_\d+_out$/, axes: [undefined, undefined, 'ar', undefined] },
];

/** Everything else that crosses the border is a hidden state or logits, [1, AR, size]. */
const STATE: readonly (Axis | undefined)[] = [undefined, 'ar', undefined];

/** One entry per axis; undefined for axes that do not depend on AR or CL. */
export function axesOf(name: string): readonly (Axis | undefined)[] {
  return RULES.find((rule) => rule.name.test(name))?.axes ?? STATE;
}

/** The number that stands for `axis` at this size. */
export function extentOf(axis: Axis, size: GraphSize): number {
  if (axis === 'past') return size.cl - size.ar;
  return axis === 'ar' ? size.ar : size.cl;
}
