/**
 * A named pipe in the place of a file that would only repeat bytes which exist already: what ONNX Runtime writes is
 * compared on the way and never reaches the disk. All graphs of a part pack the same weights.
 */
import { execFile } from 'node:child_process';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const CHUNK = 1 << 20;

export interface ComparedPipe {
  /** Call when the writer has ended, also after a failure. @returns whether it wrote exactly the expected bytes */
  finish(): Promise<boolean>;
}

/**
 * Makes a pipe at `path` that expects the bytes of the file `expected`.
 *
 * @returns undefined where there are no named pipes: the caller lets a file be written
 */
export async function comparedPipe(path: string, expected: string): Promise<ComparedPipe | undefined> {
  const made = await promisify(execFile)('mkfifo', [path]).then(() => true, () => false);
  if (!made) return undefined;
  const reference = await open(expected, 'r');
  let ended = false;
  const compared = compareChunks(createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>, reference).finally(async () => {
    ended = true;
    await reference.close();
  });
  // `finish` tells of a failure; until it is called nobody waits for one.
  compared.catch(() => undefined);
  return {
    finish: async () => {
      // A reader waits until somebody has opened the pipe for writing: after a failure before that, this loop is somebody.
      while (!ended) await openAndClose(path);
      return (await compared) === (await stat(expected)).size;
    },
  };
}

/**
 * Reads all that is written, so that the writer never blocks. A chunk may be of any size: a stream hands out all that has
 * come in while the last chunk was compared.
 *
 * @returns bytes read while equal, NaN after a difference
 */
export async function compareChunks(chunks: AsyncIterable<Buffer>, reference: FileHandle): Promise<number> {
  const held = Buffer.alloc(CHUNK);
  let position = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length && !Number.isNaN(position); start += CHUNK) {
      const piece = chunk.subarray(start, start + CHUNK);
      const { bytesRead } = await reference.read(held, 0, piece.length, position);
      position = held.subarray(0, bytesRead).equals(piece) ? position + piece.length : NaN;
    }
  }
  return position;
}

/** Fails while the reader is not there yet, which is why it is tried again. */
async function openAndClose(path: string): Promise<void> {
  const writer = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
  await writer?.close();
  await setTimeout(2);
}
