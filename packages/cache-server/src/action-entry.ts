/** What the server asks of an action entry before it takes it: that it belongs to its key, and which blobs it names. */
import { readFile } from 'node:fs/promises';
import { messageOf, printable } from '@tundish/diagnostics';
import { type BlobRef, decodeActionEntry } from '@tundish/store';
import { cacheError } from './errors.js';
import { KeyLocks } from './storage/key-locks.js';

/**
 * Checks a body against the key that it is stored under.
 *
 * @returns the blobs that the action made
 * @throws CACHE_ENTRY_FORM
 */
export function blobsOfEntry(bytes: Uint8Array, key: string): readonly BlobRef[] {
  try {
    return decodeActionEntry(bytes, { key }, 'the body').manifest.outputs;
  } catch (cause) {
    throw cacheError('CACHE_ENTRY_FORM', { what: 'the body is no action entry of this key', why: printable(messageOf(cause)) });
  }
}

const turns = new KeyLocks();

/** As `blobsOfEntry`, from a file; one at a time, since a large entry takes several times its size while it is decoded. */
export function blobsOfEntryFile(path: string, key: string): Promise<readonly BlobRef[]> {
  return turns.run('', async () => blobsOfEntry(await readFile(path), key));
}
