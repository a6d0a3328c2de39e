/** The part of a body that a client asks for: one range of RFC 9110, section 14. */

/** Bytes from `start` to `end`, which is not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** @returns undefined for the whole body, also where the header asks for several parts or says nothing valid; `outside` when no byte of the body lies in the range */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'outside' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') return Number(last) === 0 || size === 0 ? 'outside' : { start: Math.max(0, size - Number(last)), end: size };
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'outside';
  return { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) };
}
