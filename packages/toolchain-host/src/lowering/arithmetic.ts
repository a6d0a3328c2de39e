/** How a lowered graph computes on codes. */

/** `htp` computes as a Hexagon processor does, and needs operators of our own. */
export type Numerics = 'exact' | 'htp';

/** Of the composed graph: products, a difference and a sum, or one operation. */
export type RotaryForm = 'composed' | 'operation';

export interface Arithmetic {
  readonly numerics: Numerics;
  /** What `htp` has for a rotary embedding. */
  readonly rotaryEmbedding: RotaryForm;
}

export const EXACT: Arithmetic = { numerics: 'exact', rotaryEmbedding: 'composed' };
