/** Downloads the files of a checkpoint, and no others, into the Hugging Face cache layout. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { formatBytes, messageOf, printable } from '@tundish/diagnostics';
import type { Reporter } from '@tundish/diagnostics';
import type { ListFileEntry } from '@huggingface/hub';
import { COMPANION_FILES } from './checkpoint.js';
import { fault } from './errors.js';
import { repoFolder } from './hub-cache.js';
import type { HubId } from './hub-cache.js';
import { exists } from './read-file.js';
import { INDEX_NAME } from './shard-index.js';

export interface DownloadOptions {
  readonly cacheFolder: string;
  readonly reporter: Reporter;
  readonly token?: string;
  /** Base URL of a hub other than the public one. */
  readonly endpoint?: string;
  readonly signal?: AbortSignal;
}

/** What every call of the hub library gets. */
type Connection = { readonly fetch: typeof fetch; readonly hubUrl?: string; readonly accessToken?: string };

/**
 * Weights come last and the ref last of all, so that an interrupted download is never taken for a complete snapshot.
 *
 * @returns the snapshot folder and its commit
 * @throws TundishError HUB_DOWNLOAD_FAILED
 */
export async function downloadSnapshot(id: HubId, options: DownloadOptions): Promise<{ readonly folder: string; readonly commit: string }> {
  try {
    return await download(id, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw fault('HUB_DOWNLOAD_FAILED', {
      what: `${id.name}@${id.revision} could not be downloaded: ${printable(withCause(error), 300)}`,
      evidence: { path: repoFolder(options.cacheFolder, id) },
      fix: 'Check the name, the revision and the network; gated models need an access token in HF_TOKEN.',
      cause: error,
    });
  }
}

async function download(id: HubId, options: DownloadOptions): Promise<{ folder: string; commit: string }> {
  // Loaded here, since most builds never need the network.
  const hub = await import('@huggingface/hub');
  const connection: Connection = {
    fetch: (input, init) => fetch(input, { ...init, ...(options.signal === undefined ? {} : { signal: options.signal }) }),
    ...(options.endpoint === undefined ? {} : { hubUrl: options.endpoint }),
    ...(options.token === undefined ? {} : { accessToken: options.token }),
  };
  const { sha: commit } = await hub.modelInfo({ ...connection, name: id.name, revision: id.revision, additionalFields: ['sha'] });
  const entries: ListFileEntry[] = [];
  for await (const entry of hub.listFiles({ ...connection, repo: id.name, revision: commit })) entries.push(entry);
  const wanted = chooseFiles(entries);
  const folder = join(repoFolder(options.cacheFolder, id), 'snapshots', commit);
  const missing: ListFileEntry[] = [];
  for (const entry of wanted) if (!(await exists(join(folder, entry.path)))) missing.push(entry);
  const report = progressOf(missing, options.reporter);
  for (const [done, entry] of missing.entries()) {
    report(done, 0);
    options.reporter.info(`downloading ${entry.path} (${formatBytes(entry.size)})`);
    const blob = await hub.downloadFile({ ...connection, repo: id.name, revision: commit, path: entry.path });
    if (blob === null) throw new TypeError(`${entry.path} is listed but not there`);
    await publish(blob, entry, { repo: repoFolder(options.cacheFolder, id), snapshot: folder, onBytes: (size) => report(done, size) });
  }
  report(missing.length, 0);
  if (id.revision !== commit) {
    const ref = join(repoFolder(options.cacheFolder, id), 'refs', id.revision);
    await mkdir(dirname(ref), { recursive: true });
    await writeFile(ref, commit);
  }
  return { folder, commit };
}

/** Reports `done` whole files and some bytes of the next one. */
function progressOf(files: readonly ListFileEntry[], reporter: Reporter): (done: number, bytes: number) => void {
  const sizes = files.map(({ size }) => size);
  const sum = (values: readonly number[]): number => values.reduce((bytes, size) => bytes + size, 0);
  return (done, bytes) => reporter.progress({ work: 'download', label: 'files', done, total: files.length, bytes: { done: sum(sizes.slice(0, done)) + bytes, total: sum(sizes) } });
}

/** Where a file goes, and who is told how much of it has come. */
interface Destination {
  readonly repo: string;
  readonly snapshot: string;
  readonly onBytes: (size: number) => void;
}

/** Companions, then weights: the single file if there is one, else the index and its shards. */
function chooseFiles(entries: readonly ListFileEntry[]): ListFileEntry[] {
  const files = entries.filter((entry) => entry.type === 'file');
  const companions = files.filter((entry) => COMPANION_FILES.includes(entry.path));
  const single = files.filter((entry) => entry.path === 'model.safetensors');
  const shards = files.filter((entry) => entry.path === INDEX_NAME || /^model-[^/\\]*\.safetensors$/.test(entry.path));
  return [...companions, ...(single.length > 0 ? single : shards)];
}

/** Streams into `blobs`, checks size and digest, and links the snapshot to it. */
async function publish(blob: Blob, entry: ListFileEntry, { repo, snapshot, onBytes }: Destination): Promise<void> {
  const etag = entry.lfs?.oid ?? entry.oid ?? '';
  if (!/^[0-9a-f]{40,64}$/.test(etag)) throw new TypeError(`the hub gives no digest for ${entry.path}`);
  const target = join(repo, 'blobs', etag);
  await mkdir(dirname(target), { recursive: true });
  await mkdir(snapshot, { recursive: true });
  if (!(await exists(target))) {
    const partial = `${target}.${process.pid}.incomplete`;
    try {
      await receive(blob, entry, partial, onBytes);
      await rename(partial, target);
    } finally {
      await rm(partial, { force: true });
    }
  }
  // Where links are not allowed, a copy serves as well; it only costs space.
  await symlink(join('..', '..', 'blobs', etag), join(snapshot, entry.path)).catch(() => copyFile(target, join(snapshot, entry.path)));
}

async function receive(blob: Blob, entry: ListFileEntry, path: string, onBytes: (size: number) => void): Promise<void> {
  const expected = entry.lfs?.oid ?? entry.oid;
  // Small files are named by git: sha1 of a header and the content.
  const hash = entry.lfs === undefined ? createHash('sha1').update(`blob ${entry.size}\0`) : createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Uint8Array, _encoding, done): void {
      size += chunk.byteLength;
      hash.update(chunk);
      onBytes(size);
      done(undefined, chunk);
    },
  });
  await pipeline(Readable.fromWeb(blob.stream() as ReadableStream), measure, createWriteStream(path));
  if (size !== entry.size) throw new TypeError(`${entry.path} has ${size} bytes, the hub lists ${entry.size}`);
  if (hash.digest('hex') !== expected) throw new TypeError(`${entry.path} arrived damaged: its digest is not the one that the hub lists`);
}

/** fetch says only that it failed; why stands in the cause. */
function withCause(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : messageOf(error);
}
