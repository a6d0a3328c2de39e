/** Sizes as people write them: `6GB`, `512 MB`, `1.5GiB`, or bytes alone. */

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };

/** Whole bytes; undefined for what is no size. */
export function parseByteCount(text: string): number | undefined {
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(digits) * (UNITS[unit?.toLowerCase() ?? '?'] ?? NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
