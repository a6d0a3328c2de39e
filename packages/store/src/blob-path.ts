/** Where a blob lies below the cache root. */
import { join } from 'node:path';

/** @param sha256 64 lower-case hexadecimal digits */
export function blobPath(root: string, sha256: string): string {
  return join(root, 'blobs', 'sha256', sha256.slice(0, 2), sha256);
}
