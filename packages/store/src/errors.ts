/** Error codes of the store, and the mapping of operating-system faults to them. */
import { declareErrors } from '@tundish/diagnostics';
import type { TundishError } from '@tundish/diagnostics';

export const storeError = declareErrors({
  STORE_JSON_VALUE: 'A value has no canonical JSON form',
  STORE_SHA256: 'A text is not a sha256 in lower-case hexadecimal',
  STORE_BLOB_MISSING: 'A blob that a manifest names is not in the store',
  STORE_BLOB_SIZE: 'A blob of the store has another size than its manifest says',
  STORE_LINK_EXISTS: 'A blob cannot be put at a path that exists',
  STORE_BLOB_CORRUPT: 'The bytes of a blob do not have the digest that names it',
  STORE_STREAM_DIFFERS: 'Bytes that came for a blob are not those that its digest names',
  STORE_ENTRY_INVALID: 'An action entry of another machine is damaged, or not the one that was asked for',
  STORE_SOURCE_CHANGED: 'A file changed while it was read',
  STORE_SOURCE_NOT_A_FILE: 'A path that must be a regular file is something else',
  STORE_MANIFEST_READ: 'A stage manifest is missing or is not JSON',
  STORE_MANIFEST_INVALID: 'A stage manifest does not have the expected form',
  STORE_MANIFEST_CHANGED: 'A stage manifest was changed after it was written',
  STORE_MANIFEST_SCHEMA: 'A stage manifest was written by another version of Tundish',
  STORE_SIDECAR_INVALID: 'The builder_cache_info.json of a cache entry is damaged or of an unknown form',
  STORE_ACTION_NAME: 'A model or operation name cannot be the name of a cache folder',
  STORE_ACTION_CONTENDED: 'A cache entry kept being replaced by other processes',
  STORE_DISK_FULL: 'The disk or the quota is full',
  STORE_READ_ONLY: 'The file system is mounted read-only',
  STORE_NO_PERMISSION: 'The file permissions forbid an operation of the store',
  STORE_IO: 'The operating system refused an operation of the store',
});

const FAULTS: Readonly<Record<string, { readonly code: Parameters<typeof storeError>[0]; readonly why: string; readonly fix: string }>> = {
  ENOSPC: { code: 'STORE_DISK_FULL', why: 'no space is left on the disk', fix: 'free space, or move the cache to a larger disk' },
  EDQUOT: { code: 'STORE_DISK_FULL', why: 'the disk quota is used up', fix: 'free space, or move the cache to another disk' },
  EFBIG: { code: 'STORE_IO', why: 'the file would be larger than this process or this file system allows', fix: 'raise the limit (ulimit -f), or move the cache to a file system that takes larger files' },
  EROFS: { code: 'STORE_READ_ONLY', why: 'the file system is mounted read-only', fix: 'move the cache to a folder that can be written' },
  EACCES: { code: 'STORE_NO_PERMISSION', why: 'permission denied', fix: 'give this user read and write permission, or move the cache to a folder of yours' },
  EPERM: { code: 'STORE_NO_PERMISSION', why: 'operation not permitted', fix: 'give this user read and write permission, or move the cache to a folder of yours' },
};

/** The errno name of a failed system call, or undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Turns a failed system call into an error with a cause and a remedy; anything else comes back as it is.
 *
 * @param action what was being done, to follow "cannot", for example `write a blob`
 */
export function diskError(error: unknown, action: string, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || !(error instanceof Error)) return error;
  return faultOf(errno, error, action, path);
}

function faultOf(errno: string, error: Error, action: string, path: string): TundishError {
  const fault = FAULTS[errno];
  return storeError(fault?.code ?? 'STORE_IO', {
    what: `cannot ${action}`,
    why: fault?.why ?? error.message,
    evidence: { path, detail: errno },
    ...(fault === undefined ? {} : { fix: fault.fix }),
    cause: error,
  });
}
