/** Sends bytes of an open file as fast as Node.js can: no stream, and buffers that are used again. */
import type { FileHandle } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { readBuffer } from '@tundish/store';
import { within } from '../storage/deadline.js';
import type { ByteRange } from './range.js';

/** Large enough that system calls cost little, small enough for hundreds of clients at once. */
const PIECE_BYTES = 1 << 18;
const KEPT_BUFFERS = 16;
const buffers: Buffer[] = [];

/** Bytes that a client takes in one step; it must not be called slow before. */
export const SEND_STEP_BYTES = PIECE_BYTES;

/**
 * Reads the next piece while the last is sent.
 *
 * @param patience milliseconds for the disk to read one piece
 * @throws CACHE_SLOW_DISK; whatever ends the file or the connection early
 */
export async function sendFile(response: ServerResponse, file: FileHandle, { start, end }: ByteRange, patience: number): Promise<void> {
  const pair = [takeBuffer(), takeBuffer()] as const;
  let sent: Promise<unknown> = Promise.resolve();
  for (let at = start, turn = 0; at < end; turn ^= 1) {
    const buffer = pair[turn as 0 | 1];
    const { bytesRead } = await within(patience, file.read(buffer, 0, Math.min(buffer.length, end - at), at));
    if (bytesRead === 0) throw new Error('the file ended before its length');
    at += bytesRead;
    await sent;
    sent = written(response, buffer.subarray(0, bytesRead));
    sent.catch(() => undefined);
  }
  await sent;
  response.end();
  // After a failure the disk or the socket may still use them.
  if (buffers.length < KEPT_BUFFERS) buffers.push(...pair);
}

function written(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) return reject(new Error('the client has gone'));
    const gone = (): void => reject(new Error('the client has gone'));
    response.once('close', gone);
    response.write(piece, (error) => {
      response.off('close', gone);
      if (error) reject(error);
      else resolve();
    });
  });
}

function takeBuffer(): Buffer {
  return buffers.pop() ?? readBuffer(PIECE_BYTES);
}
