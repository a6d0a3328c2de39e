/**
 * Removes what a plan names, beside builds that run. Nothing is deleted in place: a thing is renamed into a folder of ours, looked
 * at again there, and put back when somebody has used it since it was chosen. Readers see it whole or not at all.
 */
import { statSync } from 'node:fs';
import { link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { blobPath } from '../blob-path.js';
import { INFO_FILE, cachedModels, entryFolders } from '../entry-folders.js';
import { diskError, errnoOf } from '../errors.js';
import { openStore } from '../store.js';
import type { CollectionPlan } from './plan-collection.js';
import { type ScannedEntry, isOld, scanEntry } from './scan-store.js';

export interface SweepRequest extends CollectionPlan {
  /** sha256 of the blobs to remove. */
  readonly blobs: readonly string[];
  /** All entries of the scan that led here. */
  readonly known: readonly ScannedEntry[];
}

export type Swept = Pick<SweepRequest, 'entries' | 'imports' | 'blobs'>;

/**
 * Entries first: a blob goes only after everything that named it is out of reach.
 *
 * @returns what is gone; less than was asked for where somebody has used it since
 */
export async function sweep(root: string, { known, ...plan }: SweepRequest): Promise<Swept> {
  try {
    return await openStore(root).withScratch(async (scratch) => {
      for (const path of plan.temporaries) await rm(path, { recursive: true, force: true });
      const entries: ScannedEntry[] = [];
      for (const entry of plan.entries) {
        if (await takeFolder(entry.folder.path, join(scratch, `entry-${entries.length}`), (place) => usedAt(join(place, INFO_FILE)) <= entry.touched)) entries.push(entry);
      }
      const imports = [];
      for (const item of plan.imports) {
        if (await takeFolder(item.path, join(scratch, `import-${imports.length}`), (place) => usedAt(join(place, 'import.json')) <= item.used)) imports.push(item);
      }
      const needed = neededNow(root, known, entries);
      const blobs: string[] = [];
      for (const digest of plan.blobs) {
        if (!needed.has(digest) && (await takeBlob(blobPath(root, digest), join(scratch, `blob-${blobs.length}`), plan.protectedSince))) blobs.push(digest);
      }
      return { entries, imports, blobs };
    });
  } catch (error) {
    throw diskError(error, 'collect garbage', root);
  }
}

/** What entries refer to that were published since the scan, or were put back. */
function neededNow(root: string, known: readonly ScannedEntry[], removed: readonly ScannedEntry[]): Set<string> {
  const gone = new Set(removed.map(({ folder }) => folder.path));
  const seen = new Map(known.map((entry) => [entry.folder.path, entry]));
  const present = cachedModels(root).flatMap((model) => entryFolders(root, model));
  const fresh = present.filter(({ path }) => gone.has(path) || !seen.has(path)).map(scanEntry);
  const kept = known.filter(({ folder }) => !gone.has(folder.path));
  return new Set([...fresh, ...kept].flatMap(({ refs }) => refs.map(({ sha256 }) => sha256)));
}

/**
 * Renames a folder away; back again when `isUnused` says no of it there. Asked before too, so that nobody misses what is in use.
 *
 * @returns whether it is gone
 */
async function takeFolder(place: string, taken: string, isUnused: (place: string) => boolean): Promise<boolean> {
  if (!isUnused(place) || !(await moved(place, taken))) return false;
  if (isUnused(taken)) return true;
  // Where it was, a build may have published the same entry again: that one stays.
  await rename(taken, place).catch((error: unknown) => {
    if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
  });
  return false;
}

/** As `takeFolder`: a blob that was asked for since it was chosen goes back. */
async function takeBlob(place: string, taken: string, protectedSince: number): Promise<boolean> {
  if (!isOld(place, protectedSince) || !(await moved(place, taken))) return false;
  if (isOld(taken, protectedSince)) return true;
  await link(taken, place).catch(async (error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') await rename(taken, place);
  });
  return false;
}

/** @returns false when it was gone already */
async function moved(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(() => true, (error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  });
}

/** 0 for what is not there: an entry without a sidecar serves nobody. */
function usedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
