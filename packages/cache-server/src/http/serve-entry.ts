/** GET and HEAD of one entry. */
import { messageOf } from '@tundish/diagnostics';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { blobsOfEntry, blobsOfEntryFile } from '../action-entry.js';
import { cacheError } from '../errors.js';
import { within } from '../storage/deadline.js';
import { type Kind, type Space, bodyPath } from '../storage/layout.js';
import type { Principal } from '../tokens/principal.js';
import { type FoundBody, closeBody, findBody } from './find-body.js';
import { type ByteRange, rangeOf } from './range.js';
import { sendFile } from './send-file.js';
import type { ServerContext } from './server-context.js';

/** @returns whether the answer has been sent; false where there is no such entry @throws CACHE_RANGE, CACHE_SLOW_DISK, what the disk says */
export async function serveEntry(context: ServerContext, request: FastifyRequest, reply: FastifyReply, { kind, key, view }: { readonly kind: Kind; readonly key: string } & Pick<Principal, 'view'>): Promise<boolean> {
  const held = context.store.find(view, kind, key);
  const found = held === undefined ? undefined : await within(context.limits.answerSeconds * 1000, findBody(context, held), (late) => void (late && closeBody(late)));
  context.metrics.lookups.inc({ kind, result: found === undefined ? 'miss' : 'hit' });
  if (found === undefined) return false;
  try {
    context.store.use(found.held);
    await answer(context, request, reply, found);
    if (kind === 'ac') await useBlobs(context, found, view).catch((error: unknown) => context.log.warn(`cannot tell the blobs of ${key}: ${messageOf(error)}`));
    return true;
  } finally {
    await closeBody(found);
  }
}

async function answer({ metrics, limits }: ServerContext, request: FastifyRequest, reply: FastifyReply, found: FoundBody): Promise<void> {
  const { size, name } = found.held;
  const etag = `"${found.digest}"`;
  reply.headers({ etag, 'accept-ranges': 'bytes', 'content-type': name.kind === 'ac' ? 'application/json' : 'application/octet-stream' });
  if (isKnown(request.headers['if-none-match'], etag)) return void reply.code(304).send();
  const range = request.method === 'HEAD' ? undefined : rangeOf(request.headers.range, size);
  if (range === 'outside') {
    reply.header('content-range', `bytes */${size}`);
    throw cacheError('CACHE_RANGE', { what: `the body has ${size} bytes, and the range lies outside of them` });
  }
  if (range !== undefined) reply.header('content-range', `bytes ${range.start}-${range.end - 1}/${size}`);
  const part = range ?? { start: 0, end: size };
  reply.code(range === undefined ? 200 : 206).header('content-length', part.end - part.start);
  if (request.method === 'HEAD') return void reply.send();
  await sendPart(reply, found, part, limits.answerSeconds);
  metrics.sent.inc({ kind: name.kind }, part.end - part.start);
}

async function sendPart(reply: FastifyReply, { content }: FoundBody, part: ByteRange, patience: number): Promise<void> {
  if (Buffer.isBuffer(content)) return void reply.send(content.subarray(part.start, part.end));
  reply.hijack();
  reply.raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>);
  // The head has gone: all that is left to tell is that the body does not end.
  await sendFile(reply.raw, content, part, patience * 1000).catch(() => reply.raw.destroy());
}

/** Whoever uses an entry is about to use its blobs: they are evicted after it. */
async function useBlobs({ store }: ServerContext, { held, content }: FoundBody, view: readonly Space[]): Promise<void> {
  const { key } = held.name;
  store.useBlobs(held, Buffer.isBuffer(content) ? blobsOfEntry(content, key) : await blobsOfEntryFile(bodyPath(store.root, held.name), key), view);
}

function isKnown(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}
