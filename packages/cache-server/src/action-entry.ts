/** The body of an action entry: the manifest and the sidecar of one action, which must belong to its key and to each other. */
import { readFile } from 'node:fs/promises';
import { messageOf, printable } from '@tundish/diagnostics';
import { type BlobRef, decodeManifest, decodeSidecar, sha256 } from '@tundish/store';
import { cacheError } from './errors.js';
import { KeyLocks } from './storage/key-locks.js';

const FIELDS = ['info', 'key', 'manifest', 'operation', 'schema'];
const SCHEMA = 1;

/**
 * Checks a body against the key that it is stored under.
 *
 * @returns the blobs that the action made
 * @throws CACHE_ENTRY_FORM
 */
export function blobsOfEntry(bytes: Uint8Array, key: string): readonly BlobRef[] {
  const { manifest, info, operation } = decode(bytes, key);
  const sidecar = explained(() => decodeSidecar(info, 'info'));
  if (sidecar.hash !== key) throw refuse('its info is of another key');
  if (sidecar.operation !== operation) throw refuse('its info is of another operation');
  if (sidecar.manifest !== sha256(manifest)) throw refuse('its info is of another manifest');
  return explained(() => decodeManifest(new TextEncoder().encode(manifest), 'manifest')).outputs;
}

interface Body {
  readonly operation: string;
  readonly manifest: string;
  readonly info: string;
}

function decode(bytes: Uint8Array, key: string): Body {
  const value = explained(() => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Readonly<Record<string, unknown>> | null);
  if (typeof value !== 'object' || value === null || Object.keys(value).sort().join() !== FIELDS.join()) throw refuse(`it must have the fields ${FIELDS.join(', ')}`);
  const { schema, manifest, info, operation } = value;
  if (schema !== SCHEMA) throw refuse(`its schema must be ${SCHEMA}`);
  if (value['key'] !== key) throw refuse('it is the entry of another key');
  if (typeof manifest !== 'string' || typeof info !== 'string' || typeof operation !== 'string') throw refuse('manifest, info and operation must be texts');
  return { operation, manifest, info };
}

function explained<T>(decoded: () => T): T {
  try {
    return decoded();
  } catch (cause) {
    throw refuse(printable(messageOf(cause)));
  }
}

function refuse(why: string): Error {
  return cacheError('CACHE_ENTRY_FORM', { what: 'the body is no action entry of this key', why });
}

const turns = new KeyLocks();

/** As `blobsOfEntry`, from a file; one at a time, since a large entry takes several times its size while it is decoded. */
export function blobsOfEntryFile(path: string, key: string): Promise<readonly BlobRef[]> {
  return turns.run('', async () => blobsOfEntry(await readFile(path), key));
}
