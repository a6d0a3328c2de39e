/** Bytes of a file on their way out, in pieces that somebody counts. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { readBuffer } from '@tundish/store';

const CHUNK_BYTES = 1 << 20;

/** @param onBytes hears of each piece when it leaves */
export async function copyBytes(path: string, to: FileHandle, signal: AbortSignal, onBytes?: (count: number) => void): Promise<void> {
  const from = await open(path, 'r');
  try {
    const buffer = readBuffer(CHUNK_BYTES);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await from.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      await to.writeFile(buffer.subarray(0, bytesRead));
      onBytes?.(bytesRead);
    }
  } finally {
    await from.close();
  }
}

/** A stream that is read no faster than it is sent. */
export function countedStream(path: string, onBytes?: (count: number) => void): Readable {
  const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  // A listener of 'data' would start it before anybody reads.
  if (onBytes !== undefined) {
    const push = stream.push.bind(stream);
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk !== null) onBytes(chunk.length);
      return push(chunk, encoding);
    };
  }
  return stream;
}
