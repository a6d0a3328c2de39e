/** Error codes of the cache server. */
import { declareErrors } from '@tundish/diagnostics';

export const cacheError = declareErrors({
  CACHE_USAGE: 'The cache server was started with options that do not go together.',
  CACHE_FOLDER: 'The folder of the cache server cannot be used.',
  CACHE_FOLDER_BUSY: 'Another cache server uses the same folder.',
  CACHE_LISTEN: 'The cache server cannot listen at the address it was given.',
  CACHE_TOKEN_FILE: 'The file of tokens is missing or does not have the expected form.',
  CACHE_TOKEN_UNKNOWN: 'A request has no token, or one that the cache server does not know.',
  CACHE_WRITE_FORBIDDEN: 'A token that may only read was used to write.',
  CACHE_KEY: 'A key is not of the form of its kind.',
  CACHE_LENGTH_REQUIRED: 'A body was sent without its length.',
  CACHE_TOO_LARGE: 'A body is larger than the cache server takes.',
  CACHE_QUOTA: 'The cache server has no room for a body.',
  CACHE_BODY_LENGTH: 'A body does not have the length that was declared, or that is known of it.',
  CACHE_BODY_DIGEST: 'A blob does not have the digest that names it.',
  CACHE_BODY_CUT: 'A connection ended in the middle of a body.',
  CACHE_ENTRY_FORM: 'An action entry does not have the expected form, or belongs to another key.',
  CACHE_ENTRY_BLOBS: 'An action entry names blobs that the cache server does not have.',
  CACHE_ARCHIVE: 'A body for Nx is not an archive that Nx can extract safely.',
  CACHE_IMMUTABLE: 'A key already has another content, and content never changes.',
  CACHE_RANGE: 'A range lies outside of the content.',
  CACHE_SLOW_DISK: 'The disk of the cache server did not answer in time.',
  CACHE_DISK: 'The disk of the cache server refused an operation.',
});

export type CacheCode = Parameters<typeof cacheError>[0];
