/** Writes a stream into a file and refuses it as soon as it cannot be the bytes that were meant. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { storeError } from './errors.js';
import type { BlobRef } from './manifest.js';

/**
 * The stream is destroyed on any failure.
 *
 * @throws STORE_STREAM_DIFFERS for other bytes, a longer stream after at most one chunk too much; the reason of `signal`; the error of the stream
 */
export async function fillVerified(file: FileHandle, ref: BlobRef, stream: Readable, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  const stop = (): void => void stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ref.size) throw differs(ref, `it is longer than ${ref.size} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    signal.throwIfAborted();
    if (size < ref.size) throw differs(ref, `it ended after ${size} of ${ref.size} bytes`);
    const found = hash.digest('hex');
    if (found !== ref.sha256) throw differs(ref, `its content has digest ${found}`);
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

function differs(ref: BlobRef, why: string): Error {
  return storeError('STORE_STREAM_DIFFERS', { what: `a stream does not hold the bytes of blob ${ref.sha256}`, why, fix: 'remove the blob from where it came from: it is not what its name says' });
}
