/** How activations and the cache get their ranges: the choices of a recipe, with every default decided. */

/** What a range is made of, from all that the calibration text gave. */
export type ActivationObserver =
  | { readonly method: 'minmax' }
  | { readonly method: 'percentile'; readonly percentile: number }
  | { readonly method: 'sqnr'; readonly gamma: number }
  | { readonly method: 'mse' };

/** Bits of cached keys and values; `auto` decides for each layer. */
export type CacheBits = 8 | 16 | 'auto';

/** What shares a scale of the cache. */
export interface CachePrecision {
  readonly bits: CacheBits;
  readonly granularity: 'tensor' | 'head';
}

/** What the ranges of a build depend on besides its text. */
export interface RangeOptions {
  readonly observer: ActivationObserver;
  readonly cache: CachePrecision;
}
