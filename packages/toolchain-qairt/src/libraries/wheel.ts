/** A wheel as an archive: what it says it is, and its libraries unpacked. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TundishError, messageOf, printable } from '@tundish/diagnostics';
import { readArchive, readWhole } from './archive.js';
import { qairtError } from './errors.js';
import { WHEEL_FOLDERS } from './find.js';

/** Larger than any wheel of the libraries, smaller than what would fill a disk. */
const MOST_BYTES = 2 ** 32;
const MOST_METADATA_BYTES = 2 ** 20;

/** SHA-256 of a file, hexadecimal. */
export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash).catch((error: unknown) => {
    throw qairtError('QAIRT_FILE', { what: 'the wheel cannot be read', why: messageOf(error), evidence: { path } });
  });
  return hash.digest('hex');
}

/**
 * Unpacks the folders of the libraries.
 *
 * @param folder exists
 * @returns version of `onnxruntime-qnn` that the wheel states
 * @throws QAIRT_WHEEL_WRONG, QAIRT_WHEEL_DAMAGED, QAIRT_DISK_FULL
 */
export async function unpackWheel(path: string, folder: string, signal: AbortSignal): Promise<string> {
  let version: string | undefined;
  let total = 0;
  try {
    await readArchive(path, async ({ name, bytes }, open) => {
      signal.throwIfAborted();
      total += bytes;
      if (total > MOST_BYTES) throw wrongWheel(path, `it unpacks to more than ${MOST_BYTES} bytes`);
      if (/^onnxruntime_qnn-[^/]+\.dist-info\/METADATA$/.test(name)) version = statedVersion((await readWhole(await open(), MOST_METADATA_BYTES)).toString('utf8'));
      if (!WHEEL_FOLDERS.some((known) => name.startsWith(`${known}/`)) || name.endsWith('/')) return;
      const target = join(folder, name);
      mkdirSync(dirname(target), { recursive: true });
      await pipeline(await open(), createWriteStream(target, { flags: 'wx' }), { signal });
    });
  } catch (error) {
    throw wheelError(path, error, signal);
  }
  if (version === undefined) throw wrongWheel(path, 'it has no metadata of onnxruntime-qnn');
  return version;
}

export function wrongWheel(path: string, why: string): TundishError {
  return qairtError('QAIRT_WHEEL_WRONG', { what: `${printable(path)} is no wheel of the libraries`, why, evidence: { path }, fix: 'give a wheel onnxruntime_qnn-*-manylinux_*_x86_64.whl' });
}

function statedVersion(metadata: string): string | undefined {
  const [head = ''] = metadata.split(/\r?\n\r?\n/, 1);
  const value = (name: string): string | undefined => new RegExp(`^${name}: *(\\S+)\\s*$`, 'm').exec(head)?.[1];
  return value('Name')?.replaceAll('_', '-').toLowerCase() === 'onnxruntime-qnn' ? value('Version') : undefined;
}

function wheelError(path: string, error: unknown, signal: AbortSignal): TundishError {
  if (error instanceof TundishError) return error;
  if (signal.aborted) return qairtError('QAIRT_CANCELLED', { what: 'unpacking was cancelled', cause: signal.reason });
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return qairtError('QAIRT_DISK_FULL', { what: 'the disk has no room for the libraries', fix: 'make room: they take 500 MB' });
  if (code !== undefined && !code.startsWith('Z_')) return qairtError('QAIRT_FILE', { what: 'the wheel cannot be unpacked', why: printable(messageOf(error)), evidence: { path } });
  return qairtError('QAIRT_WHEEL_DAMAGED', { what: `${printable(path)} cannot be unpacked`, why: printable(messageOf(error)), evidence: { path }, fix: 'fetch it anew' });
}
