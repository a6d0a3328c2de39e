/** SHA-256 of bytes and of files: the only digest of Tundish. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { diskError } from './errors.js';
import { readBuffer } from './read-buffer.js';

/** Large enough that the hash, not the system call, is the cost. */
const CHUNK_BYTES = 1 << 20;

/** @returns 64 lower-case hexadecimal digits; text is hashed as UTF-8 */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function isSha256(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

/**
 * Digest of a file in 1 MiB steps; the file is never in memory as a whole.
 *
 * @throws the reason of `signal` when it is aborted; STORE_* when the file cannot be read
 */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      return await sha256Handle(file, signal);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskError(error, 'read a file to digest it', path);
  }
}

/**
 * As `sha256File`, from the start of an open file; each chunk is also given to `each`, until the one after the next is read. A
 * chunk is read while the one before it is digested.
 */
export async function sha256Handle(file: FileHandle, signal?: AbortSignal, each?: (chunk: Uint8Array) => Promise<void> | void): Promise<string> {
  const hash = createHash('sha256');
  let [buffer, other] = [readBuffer(CHUNK_BYTES), readBuffer(CHUNK_BYTES)];
  let position = 0;
  const read = async (): Promise<Uint8Array> => {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    return buffer.subarray(0, bytesRead);
  };
  let reading = read();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const chunk = await reading;
      if (chunk.length === 0) return hash.digest('hex');
      position += chunk.length;
      [buffer, other] = [other, buffer];
      reading = read();
      hash.update(chunk);
      if (each !== undefined) await each(chunk);
    }
  } finally {
    // The file is not to be closed under it.
    await reading.catch(() => undefined);
  }
}
