/** Bodies that clients send: blobs, action entries, archives of Nx. */
import { gzipSync } from 'node:zlib';
import { canonicalJson, encodeManifest, sha256 } from '@tundish/store';
import { type Header, pack } from 'tar-stream';

export interface Blob {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
  readonly path: string;
}

export function blobOf(content: string | Uint8Array): Blob {
  const bytes = new Uint8Array(Buffer.from(content));
  const digest = sha256(bytes);
  return { bytes, sha256: digest, path: `/cas/${digest}` };
}

export interface EntryOptions {
  /** Key that the info belongs to, where it is not that of the entry. */
  readonly hash?: string;
  readonly createdAt?: string;
}

/** An action entry that names these blobs. */
export function actionEntry(key: string, blobs: readonly Blob[], { hash = key, createdAt = '2026-01-01T00:00:00.000Z' }: EntryOptions = {}): string {
  const outputs = blobs.map((blob, i) => ({ name: `file-${i}`, sha256: blob.sha256, size: blob.bytes.length, mediaType: 'application/octet-stream' }));
  const manifest = Buffer.from(encodeManifest({ schema: 1, stage: 'load', subject: null, outputs, externals: [], facts: {} })).toString();
  const info = { operation: 'load', source: 'test', config: fieldsOf.get(hash) ?? {}, hash, created_at: createdAt, tool: null, inputs: {}, outputs: {}, manifest: sha256(manifest), wall_seconds: 1, memory: { declared: null, measured: 1, of: 'unit', limit: null } };
  return JSON.stringify({ info: JSON.stringify(info), key, manifest, operation: 'load', schema: 1 });
}

/** The fields that each key below is the digest of. */
const fieldsOf = new Map<string, Readonly<Record<string, string>>>();

/** The key of an action of this name. */
export function keyOf(name: string): string {
  const fields = { 'options.name': JSON.stringify(name) };
  const key = sha256(canonicalJson(fields));
  fieldsOf.set(key, fields);
  return key;
}

export interface ArchiveFile extends Partial<Header> {
  readonly name: string;
  readonly content?: string | Uint8Array;
}

export const CODE: ArchiveFile = { name: 'code', content: new Uint8Array(4) };
const USUAL: readonly ArchiveFile[] = [{ name: 'packages/a/out/stage.json', content: '{}' }, { name: 'terminalOutput', content: 'done\n' }, CODE];

export async function tarOf(files: readonly ArchiveFile[]): Promise<Buffer> {
  const archive = pack();
  for (const { content = '', ...header } of files) archive.entry({ ...header, mtime: new Date(0) }, Buffer.from(content));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What Nx would send. */
export async function archiveOf(files: readonly ArchiveFile[] = USUAL): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(gzipSync(await tarOf(files)));
}
