/** Garbage collection: scan, decide, remove, and the figures of it. */
import { statSync } from 'node:fs';
import { blobPath } from '../blob-path.js';
import { type GcPolicy, planCollection } from './plan-collection.js';
import { isOld, scanStore, treeBytes } from './scan-store.js';

export interface GcRequest extends GcPolicy {
  readonly root: string;
  /** Says what would go and removes nothing. */
  readonly dryRun: boolean;
}

export interface GcReport {
  /** Folders of entries, in the order of their names. */
  readonly entries: readonly string[];
  /** sha256 of blobs, sorted. */
  readonly blobs: readonly string[];
  readonly imports: readonly string[];
  readonly temporaries: readonly string[];
  readonly freedBytes: number;
  /** Entries that stay, and bytes of all that stays. */
  readonly keptEntries: number;
  readonly keptBytes: number;
}

/** @throws the disk errors of the store */
export async function collectGarbage(request: GcRequest): Promise<GcReport> {
  const { root } = request;
  const scan = await scanStore(root);
  // Every blob that is there; its size once somebody knows it, which a manifest does without asking the file system.
  const sizes = new Map<string, number | undefined>(scan.blobs.map((digest) => [digest, undefined]));
  for (const { refs } of scan.entries) for (const { sha256, size } of refs) if (sizes.has(sha256)) sizes.set(sha256, size);
  const sizeOf = (sha256: string): number => {
    const known = sizes.get(sha256);
    if (known !== undefined || !sizes.has(sha256)) return known ?? 0;
    const found = statSync(blobPath(root, sha256), { throwIfNoEntry: false })?.size ?? 0;
    sizes.set(sha256, found);
    return found;
  };
  const plan = planCollection(scan, request, sizeOf);
  const temporaryBytes = plan.temporaries.reduce((sum, path) => sum + treeBytes(path), 0);
  const unneeded = scan.blobs.filter((digest) => !plan.needed.has(digest) && isOld(blobPath(root, digest), plan.protectedSince)).sort();
  const removed = request.dryRun ? { entries: plan.entries, blobs: unneeded, imports: plan.imports } : await (await import('./sweep.js')).sweep(root, { ...plan, blobs: unneeded, known: scan.entries });
  const total = scan.blobs.reduce((sum, digest) => sum + sizeOf(digest), 0) + [...scan.entries, ...scan.imports].reduce((sum, { bytes }) => sum + bytes, 0);
  const freedBytes = removed.blobs.reduce((sum, digest) => sum + sizeOf(digest), 0) + [...removed.entries, ...removed.imports].reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    entries: removed.entries.map(({ folder }) => folder.path),
    blobs: removed.blobs,
    imports: removed.imports.map(({ path }) => path),
    temporaries: plan.temporaries,
    freedBytes: freedBytes + temporaryBytes,
    keptEntries: scan.entries.length - removed.entries.length,
    keptBytes: total - freedBytes,
  };
}
