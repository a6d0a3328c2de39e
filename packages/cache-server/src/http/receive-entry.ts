/** PUT of one entry: hashed and checked while it arrives, and named only when it is whole. */
import type { IncomingMessage } from 'node:http';
import { ACTION_ENTRY_LIMIT } from '@tundish/store';
import { blobsOfEntryFile } from '../action-entry.js';
import { cacheError } from '../errors.js';
import { ArchiveCheck } from '../nx-archive/archive-check.js';
import type { ServerLimits } from '../server-config.js';
import { within } from '../storage/deadline.js';
import { type Kind, isKey } from '../storage/layout.js';
import type { Upload } from '../storage/upload.js';
import type { Principal } from '../tokens/principal.js';
import { declaredLength, discardBody, receiveBody } from './receive-body.js';
import type { ServerContext } from './server-context.js';

export interface EntryPut {
  readonly kind: Kind;
  readonly key: string;
  readonly principal: Principal;
}

/** How long a disk may take for one step of a large body. */
const DISK_MS = 60_000;

/** @returns whether the entry is new @throws CACHE_* with the reason why it was not stored; nothing is left of it */
export async function receiveEntry(context: ServerContext, request: IncomingMessage, put: EntryPut): Promise<'stored' | 'same'> {
  const { kind, key, principal } = put;
  const { store, limits } = context;
  if (!isKey(kind, key)) throw cacheError('CACHE_KEY', { what: kind === 'nx' ? 'a task hash is digits and lower-case letters, 64 at most' : 'a key is 64 lower-case hexadecimal digits' });
  if (!principal.mayWrite) throw cacheError('CACHE_WRITE_FORBIDDEN', { what: `the token ${principal.name} may only read` });
  const size = declaredLength(request, limitOf(kind, limits));
  const known = store.find(principal.view, kind, key);
  const before = known !== undefined && (await within(patience(kind, limits), store.isThere(known))) ? known : undefined;
  if (before !== undefined && kind === 'nx') throw immutable();
  if (before !== undefined && kind === 'cas') {
    if (before.size !== size) throw cacheError('CACHE_BODY_LENGTH', { what: `the blob of this digest has ${before.size} bytes, and ${size} were declared` });
    store.use(before);
    await discardBody(request, size);
    return 'same';
  }
  const upload = await within(patience(kind, limits), store.begin(principal.home, size), (late) => void late?.discard());
  if (upload === undefined) throw cacheError('CACHE_QUOTA', { what: `there is no room for ${size} bytes`, why: 'the body is larger than the quota, or uploads in flight have taken it' });
  const outcome = await fill(context, request, put, upload, size);
  if (outcome === 'other') throw immutable();
  if (outcome === 'stored') context.metrics.stored.inc({ kind });
  return outcome;
}

/** Receives, checks and names the body; on any failure the upload is gone. */
async function fill(context: ServerContext, request: IncomingMessage, put: EntryPut, upload: Upload, size: number): Promise<'stored' | 'same' | 'other'> {
  const { kind } = put;
  const { limits, metrics } = context;
  const check = kind === 'nx' ? new ArchiveCheck(limits.maxUnpacked) : undefined;
  const late = patience(kind, limits);
  try {
    await receiveBody(
      request,
      async (chunk) => {
        await check?.write(chunk);
        const room = upload.write(chunk);
        if (room !== undefined) await within(late, room);
      },
      kind === 'nx',
    );
    metrics.received.inc({ kind }, upload.size);
    if (upload.size !== size) throw cacheError('CACHE_BODY_LENGTH', { what: `the body has ${upload.size} bytes, and ${size} were declared` });
    await check?.end();
  } catch (error) {
    check?.destroy();
    // A disk that hangs must not keep the answer back.
    void upload.discard().catch((failure: unknown) => context.log.warn(`cannot remove an upload: ${String(failure)}`));
    throw error;
  }
  return within(late, finish(context, put, upload, size));
}

async function finish({ store }: ServerContext, { kind, key, principal }: EntryPut, upload: Upload, size: number): Promise<'stored' | 'same' | 'other'> {
  try {
    const sha256 = await upload.finish();
    if (kind === 'cas' && sha256 !== key) throw cacheError('CACHE_BODY_DIGEST', { what: `the body has the sha256 ${sha256}` });
    const blobs = kind === 'ac' ? await blobsOfEntryFile(upload.path, key) : [];
    const missing = blobs.filter((blob) => store.find(principal.view, 'cas', blob.sha256)?.size !== blob.size);
    if (missing.length > 0) throw cacheError('CACHE_ENTRY_BLOBS', { what: `${missing.length} blobs of the entry are not here`, why: `the first is ${missing[0]?.sha256 ?? ''}`, fix: 'send the blobs before the entry' });
    const record = { writer: principal.name, sha256, size, time: new Date().toISOString() };
    const outcome = await store.commit(upload, { space: principal.home, kind, key }, principal.view, record);
    const held = store.find(principal.view, kind, key);
    if (held !== undefined) store.useBlobs(held, blobs, principal.view);
    return outcome;
  } catch (error) {
    await upload.discard();
    throw error;
  }
}

function limitOf(kind: Kind, { maxBlob, maxArchive }: ServerLimits): number {
  return kind === 'cas' ? maxBlob : kind === 'ac' ? ACTION_ENTRY_LIMIT : maxArchive;
}

function patience(kind: Kind, { answerSeconds }: ServerLimits): number {
  return kind === 'nx' ? answerSeconds * 1000 : DISK_MS;
}

function immutable(): Error {
  return cacheError('CACHE_IMMUTABLE', { what: 'the key has another content already' });
}
