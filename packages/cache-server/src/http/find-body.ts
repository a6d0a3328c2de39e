/** Finds the bytes of an entry, and checks those that nobody else will. */
import type { FileHandle } from 'node:fs/promises';
import { sha256 } from '@tundish/store';
import type { EntryStore, OpenEntry } from '../storage/entry-store.js';
import type { Held } from '../storage/pool.js';
import { SMALL_BYTES } from '../storage/small-bodies.js';
import type { ServerContext } from './server-context.js';

/** A body that may be sent. */
export interface FoundBody {
  readonly held: Held;
  readonly digest: string;
  /** A small body is in memory already; the file of a large one is open. */
  readonly content: Buffer | FileHandle;
}

/** @returns undefined when the body is gone or damaged, after which the entry is too */
export async function findBody({ store, metrics }: ServerContext, held: Held): Promise<FoundBody | undefined> {
  const kept = store.small.get(held.name);
  if (kept !== undefined && (await store.isFile(held, kept.ino))) return { held, digest: kept.digest, content: kept.bytes };
  const entry = await store.openBody(held);
  if (entry === undefined) return undefined;
  let isSent = false;
  try {
    const bytes = held.size <= SMALL_BYTES ? await readWhole(entry) : undefined;
    const digest = await promisedDigest(store, held);
    if (digest !== undefined && digest === (await foundDigest(store, held, bytes))) {
      if (bytes !== undefined) store.small.keep(held.name, { ino: entry.ino, digest, bytes });
      isSent = bytes === undefined;
      return { held, digest, content: bytes ?? entry.file };
    }
  } finally {
    if (!isSent) await entry.file.close();
  }
  metrics.damaged.inc();
  await store.dropDamaged(held, 'its bytes are not those that were stored, or its record is lost');
  return undefined;
}

export async function closeBody({ content }: FoundBody): Promise<void> {
  if (!Buffer.isBuffer(content)) await content.close();
}

async function promisedDigest(store: EntryStore, held: Held): Promise<string | undefined> {
  return held.name.kind === 'cas' ? held.name.key : (await store.record(held))?.sha256;
}

/** A large blob is not read for it: whoever asked for its digest checks it. The others have no other witness than the record. */
async function foundDigest(store: EntryStore, held: Held, bytes: Buffer | undefined): Promise<string> {
  if (bytes !== undefined) return sha256(bytes);
  return held.name.kind === 'cas' ? held.name.key : store.digest(held);
}

async function readWhole({ file, held }: OpenEntry): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(held.size);
  const { bytesRead } = await file.read(bytes, 0, held.size, 0);
  return bytes.subarray(0, bytesRead);
}
