/** Encodings of a block's new keys and values, from what was observed of them. */
import type { PerTensorEncoding } from '@tundish/graph';
import type { CacheBits } from '@tundish/recipe/calibration';
import type { RangeObserver } from '../observers/observer.js';
import { type CacheDecision, type CacheRequest, decideCacheBits } from './cache-bits.js';
import { requireFinite, symmetricCache } from './encoding-rules.js';

/** What a block says of its caches: encodings by name, and the decision where data made one. */
export interface SettledCaches {
  readonly caches: Readonly<Record<string, PerTensorEncoding>>;
  readonly cacheDecision?: CacheDecision;
}

/** @throws QUANTIZE_RANGE_NOT_FINITE */
export async function settleCaches(request: CacheRequest, caches: ReadonlyMap<string, readonly RangeObserver[]>, bits: CacheBits): Promise<SettledCaches> {
  if (bits !== 'auto' || caches.size === 0) return { caches: Object.fromEntries(cacheEncodings(caches, bits === 'auto' ? 8 : bits)) };
  const eight = cacheEncodings(caches, 8);
  const cacheDecision = await decideCacheBits(request, eight);
  return { caches: Object.fromEntries(cacheDecision.bits === 8 ? eight : cacheEncodings(caches, 16)), cacheDecision };
}

/**
 * By name of the value. Keys and values of one layer have the same number of bits. Where each head was observed, the encoding
 * of the whole is that of the widest.
 *
 * @throws QUANTIZE_RANGE_NOT_FINITE
 */
export function cacheEncodings(caches: ReadonlyMap<string, readonly RangeObserver[]>, bits: 8 | 16): ReadonlyMap<string, PerTensorEncoding> {
  return new Map([...caches].map(([name, observers]) => {
    const heads = observers.map((seen) => symmetricCache(requireFinite(name, seen.range({ bits, symmetric: true })), bits));
    const widest = heads.reduce((a, b) => (b.scale > a.scale ? b : a));
    return [name, heads.length === 1 ? widest : { ...widest, headScales: heads.map(({ scale }) => scale) }];
  }));
}
