/** The HTTP status of each error that a client can meet. */
import type { CacheCode } from '../errors.js';

const STATUS: Readonly<Partial<Record<CacheCode, number>>> = {
  CACHE_TOKEN_UNKNOWN: 401,
  CACHE_WRITE_FORBIDDEN: 403,
  CACHE_KEY: 400,
  CACHE_LENGTH_REQUIRED: 411,
  CACHE_TOO_LARGE: 413,
  CACHE_QUOTA: 403,
  CACHE_BODY_LENGTH: 400,
  CACHE_BODY_DIGEST: 400,
  CACHE_BODY_CUT: 400,
  CACHE_ENTRY_FORM: 400,
  CACHE_ENTRY_BLOBS: 400,
  CACHE_ARCHIVE: 403,
  CACHE_IMMUTABLE: 409,
  CACHE_RANGE: 416,
};

/** The answer of `/cas` and `/ac` to a request that failed with this code; 500 for what is no fault of the client. */
export function statusOf(code: string): number {
  return STATUS[code as CacheCode] ?? 500;
}
