/** Verification of entries and blobs of a store. */
import { existsSync } from 'node:fs';
import type { Reporter } from '@tundish/diagnostics';
import { blobPath } from '../blob-path.js';
import type { EntryFolder } from '../entry-folders.js';
import type { BlobRef } from '../manifest.js';
import { entryChecks } from './entry-checks.js';
import { type CheckedFiles, type FileCheck, checkFiles } from './file-check.js';

export interface VerifyRequest {
  readonly root: string;
  readonly entries: readonly EntryFolder[];
  /** Blobs to read beside those of the entries, which know their sizes better. */
  readonly blobs: readonly BlobRef[];
  /** Other files that must have their digests. */
  readonly files: readonly FileCheck[];
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

export interface VerifyReport extends CheckedFiles {
  readonly entries: number;
  /** Blobs that are named and not here, and no entry has a file of theirs: they are fetched or made when something reads them. */
  readonly absent: number;
}

/** Reads every blob that entries or the request name, and every file of the request. */
export async function verifyEntries({ root, entries, blobs, files, reporter, signal }: VerifyRequest): Promise<VerifyReport> {
  const looked = entries.map((entry) => ({ entry, ...entryChecks(root, entry) }));
  const owners = new Map<string, string[]>();
  const sizes = new Map(blobs.map(({ sha256, size }) => [sha256, size]));
  for (const { entry, outputs } of looked) {
    for (const { sha256, size } of outputs) {
      sizes.set(sha256, size);
      owners.set(sha256, [...(owners.get(sha256) ?? []), entry.path]);
    }
  }
  const named = new Set(looked.flatMap((checks) => checks.named));
  const [here, absent] = [new Map<string, number>(), new Set<string>()];
  for (const [sha256, size] of sizes) {
    if (named.has(sha256) || existsSync(blobPath(root, sha256))) here.set(sha256, size);
    else absent.add(sha256);
  }
  const blobChecks = [...here].sort().map(([sha256, size]) => ({ path: blobPath(root, sha256), sha256, size, of: 'the blob', fix: fixOf(owners.get(sha256) ?? []) }));
  const checked = await checkFiles([...blobChecks, ...looked.flatMap(({ checks }) => checks), ...files], reporter, signal);
  return { ...checked, damage: [...looked.flatMap(({ damage }) => damage), ...checked.damage], entries: entries.length, absent: absent.size };
}

/** The links in entries are the same bytes under another name: they must go too, or an entry would go on pointing at them. */
function fixOf(owners: readonly string[]): string {
  const [first, ...more] = owners;
  if (first === undefined) return 'delete it: the next build makes it again';
  return `delete it and the folder ${first}${more.length === 0 ? '' : ` and ${more.length} more that link to it (${more.join(', ')})`}: the next build makes them again`;
}
