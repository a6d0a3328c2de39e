/** Reads the body of a request chunk by chunk, and what is left of it after a refusal. */
import type { IncomingMessage } from 'node:http';
import { cacheError } from '../errors.js';

/** How long a client that sends more has to notice the answer. */
const NOTICE_MS = 10_000;

/** The declared length of a body. @throws CACHE_LENGTH_REQUIRED, CACHE_TOO_LARGE */
export function declaredLength(request: IncomingMessage, limit: number): number {
  const length = request.headers['content-length'];
  if (length === undefined) throw cacheError('CACHE_LENGTH_REQUIRED', { what: 'a body needs a content-length' });
  const size = Number(length);
  if (!(size <= limit)) throw cacheError('CACHE_TOO_LARGE', { what: `a body of ${length} bytes is more than the ${limit} that this server takes` });
  return size;
}

/**
 * Gives each chunk to `take`.
 *
 * @param drain whether the rest is read when `take` fails, before its error is thrown
 * @throws CACHE_BODY_CUT, and what `take` throws
 */
export async function receiveBody(request: IncomingMessage, take: (chunk: Buffer) => Promise<void>, drain: boolean): Promise<void> {
  const failed: unknown[] = [];
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (failed.length === 0) await take(chunk).catch((error: unknown) => failed.push(error));
      if (failed.length > 0 && !drain) break;
    }
  } catch (cause) {
    if (failed.length === 0) throw cacheError('CACHE_BODY_CUT', { what: 'the connection ended in the middle of the body', cause });
  }
  if (failed.length > 0) throw failed[0];
}

/** Reads what is left of a body of up to `limit` bytes, since a client that is still sending may not hear the answer; less of a longer one. */
export async function discardBody(request: IncomingMessage, limit: number): Promise<void> {
  if (request.complete || request.destroyed) {
    request.resume();
  } else if (Number(request.headers['content-length'] ?? 0) <= limit) {
    await receiveBody(request, async () => undefined, true).catch(() => undefined);
  } else {
    request.resume();
    const timer = setTimeout(() => request.complete || request.socket.destroy(), NOTICE_MS).unref();
    request.once('end', () => clearTimeout(timer));
  }
}
