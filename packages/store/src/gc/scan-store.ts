/** What lies in a cache root, as far as garbage collection must know: entries with what they refer to, blobs, imports, temporary files. */
import { closeSync, lstatSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type EntryFolder, INFO_FILE, MANIFEST_FILE, cachedModels, entryFolders } from '../entry-folders.js';
import type { BlobRef } from '../manifest.js';
import { isSha256, sha256 } from '../sha256.js';
import { type Temporary, listTemporaries } from '../temporary-folder.js';

export interface ScannedEntry {
  readonly folder: EntryFolder;
  /** When it last served or was published, in milliseconds since 1970; 0 when it is damaged, so that it serves nobody. */
  readonly used: number;
  /** Time of its sidecar, 0 without one: any later time means that somebody has used or replaced it. */
  readonly touched: number;
  /** sha256 of stage.json, computed when it is asked for; undefined when it cannot be read. */
  readonly manifest: () => string | undefined;
  /** What it made and what it refers to. */
  readonly refs: readonly BlobRef[];
  /** Bytes of the files that only this entry has. */
  readonly bytes: number;
}

export interface ScannedImport {
  readonly name: string;
  readonly path: string;
  readonly used: number;
  readonly bytes: number;
}

export interface StoreScan {
  readonly entries: readonly ScannedEntry[];
  /** sha256 of every blob. */
  readonly blobs: readonly string[];
  readonly imports: readonly ScannedImport[];
  readonly temporaries: readonly Temporary[];
}

export async function scanStore(root: string): Promise<StoreScan> {
  return {
    entries: cachedModels(root).flatMap((model) => entryFolders(root, model)).map(scanEntry),
    blobs: scanBlobs(root),
    imports: scanImports(root),
    temporaries: await listTemporaries(join(root, 'tmp')),
  };
}

/** Reads as little as possible: stores have tens of thousands of entries. */
export function scanEntry(folder: EntryFolder): ScannedEntry {
  const info = statSync(`${folder.path}/${INFO_FILE}`, { throwIfNoEntry: false });
  const touched = info?.mtimeMs ?? 0;
  const broken = { folder, used: 0, touched, manifest: () => undefined, refs: [], bytes: info?.size ?? 0 };
  try {
    const path = `${folder.path}/${MANIFEST_FILE}`;
    const text = readText(path);
    const refs = manifestRefs(JSON.parse(text));
    // The text is read again where its digest is asked for: ten thousand of them would be moved about by the collector of the heap.
    return info === undefined ? broken : { folder, used: touched, touched, manifest: () => digestOf(path), refs, bytes: info.size + text.length };
  } catch {
    // No build uses an entry whose manifest cannot be read.
    return broken;
  }
}

function digestOf(path: string): string | undefined {
  try {
    return sha256(readText(path));
  } catch {
    // As in a scan: it serves nobody.
    return undefined;
  }
}

/** Manifests are a few kilobytes. */
const buffer = Buffer.allocUnsafe(64 * 1024);

/** As `readFileSync`, for many small files: half the calls, and nothing allocated but the text. */
function readText(path: string): string {
  const file = openSync(path, 'r');
  try {
    const length = readSync(file, buffer, 0, buffer.length, 0);
    return length === buffer.length ? readFileSync(path, 'utf8') : buffer.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}

/**
 * Every digest that a stage manifest names: outputs and externals.
 *
 * @throws TypeError when it is none
 */
export function manifestRefs(manifest: unknown): BlobRef[] {
  const { outputs, externals } = manifest as { readonly outputs: readonly BlobRef[]; readonly externals: readonly BlobRef[] };
  const refs = [...outputs, ...externals];
  return refs.map(({ sha256: digest, size }) => {
    if (!isSha256(digest) || !Number.isSafeInteger(size)) throw new TypeError('a reference without digest or size');
    return { sha256: digest, size };
  });
}

function scanBlobs(root: string): string[] {
  const folder = join(root, 'blobs', 'sha256');
  return namesIn(folder).flatMap((prefix) => namesIn(join(folder, prefix))).filter(isSha256);
}

function scanImports(root: string): ScannedImport[] {
  const folder = join(root, 'imports');
  return namesIn(folder).map((name) => {
    const path = join(folder, name);
    return { name, path, used: statSync(join(path, 'import.json'), { throwIfNoEntry: false })?.mtimeMs ?? 0, bytes: treeBytes(path) };
  });
}

/** Whether a file was last used before that time, in milliseconds since 1970. */
export function isOld(path: string, since: number): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < since;
}

/** Bytes of a file, or of all files below a folder. */
export function treeBytes(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) return found?.size ?? 0;
  return namesIn(path).reduce((sum, name) => sum + treeBytes(join(path, name)), 0);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // A store that was never used has no such folder.
    return [];
  }
}
