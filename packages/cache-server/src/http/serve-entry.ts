/** GET and HEAD of one entry. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sha256 } from '@tundish/store';
import { blobsOfEntry, blobsOfEntryFile } from '../action-entry.js';
import { cacheError } from '../errors.js';
import { within } from '../storage/deadline.js';
import type { OpenEntry } from '../storage/entry-store.js';
import { type Kind, type Space, bodyPath } from '../storage/layout.js';
import type { Held } from '../storage/pool.js';
import type { Principal } from '../tokens/principal.js';
import { type ByteRange, rangeOf } from './range.js';
import { sendFile } from './send-file.js';
import type { ServerContext } from './server-context.js';

/** Bodies up to this size are read at once. */
const SMALL_BYTES = 1 << 16;
/** A blob is checked by whoever asked for its digest; the others have no other witness than the record. */
const VERIFIED: Readonly<Record<Kind, boolean>> = { cas: false, ac: true, nx: true };

/** A body that may be sent, with its digest; small ones are in memory already. */
interface Found extends OpenEntry {
  readonly digest: string;
  readonly bytes: Buffer | undefined;
}

/** @returns whether the answer has been sent; false where there is no such entry @throws CACHE_RANGE, CACHE_SLOW_DISK, what the disk says */
export async function serveEntry(context: ServerContext, request: FastifyRequest, reply: FastifyReply, { kind, key, view }: { readonly kind: Kind; readonly key: string } & Pick<Principal, 'view'>): Promise<boolean> {
  const held = context.store.find(view, kind, key);
  const found = held === undefined ? undefined : await within(context.limits.answerSeconds * 1000, findBody(context, held), (late) => void late?.file.close());
  context.metrics.lookups.inc({ kind, result: found === undefined ? 'miss' : 'hit' });
  if (found === undefined) return false;
  try {
    context.store.use(found.held);
    await answer(context, request, reply, found);
    if (kind === 'ac') await useBlobs(context, found, view);
    return true;
  } finally {
    await found.file.close();
  }
}

async function findBody({ store, metrics }: ServerContext, held: Held): Promise<Found | undefined> {
  const entry = await store.openBody(held);
  if (entry === undefined) return undefined;
  try {
    const bytes = held.size <= SMALL_BYTES ? await readWhole(entry) : undefined;
    const record = VERIFIED[held.name.kind] ? await store.record(held) : undefined;
    if (!VERIFIED[held.name.kind]) return { ...entry, digest: held.name.key, bytes };
    const digest = bytes === undefined ? await store.digest(held) : sha256(bytes);
    if (record?.sha256 === digest) return { ...entry, digest, bytes };
    metrics.damaged.inc();
    await store.dropDamaged(held.name, record === undefined ? 'its record is missing or damaged' : 'its bytes are not those that were stored');
  } catch (error) {
    await entry.file.close();
    throw error;
  }
  await entry.file.close();
  return undefined;
}

async function readWhole({ file, held }: OpenEntry): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(held.size);
  const { bytesRead } = await file.read(bytes, 0, held.size, 0);
  return bytes.subarray(0, bytesRead);
}

async function answer({ metrics }: ServerContext, request: FastifyRequest, reply: FastifyReply, found: Found): Promise<void> {
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
  await sendPart(reply, found, part);
  metrics.sent.inc({ kind: name.kind }, part.end - part.start);
}

async function sendPart(reply: FastifyReply, { bytes, file }: Found, part: ByteRange): Promise<void> {
  if (bytes !== undefined) return void reply.send(bytes.subarray(part.start, part.end));
  reply.hijack();
  reply.raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>);
  await sendFile(reply.raw, file, part).catch(() => reply.raw.destroy());
}

/** Whoever uses an entry is about to use its blobs: they are evicted after it. */
async function useBlobs({ store }: ServerContext, { held, bytes }: Found, view: readonly Space[]): Promise<void> {
  const { key } = held.name;
  store.useBlobs(bytes === undefined ? await blobsOfEntryFile(bodyPath(store.root, held.name), key) : blobsOfEntry(bytes, key), view);
}

function isKnown(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}
