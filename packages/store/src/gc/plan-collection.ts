/** Decides what garbage collection removes; looks at nothing but a scan. */
import type { BlobRef } from '../manifest.js';
import { ABANDONED_MS } from '../temporary-folder.js';
import type { ScannedEntry, ScannedImport, StoreScan } from './scan-store.js';

/** The number of a process that died may have gone to one that runs for months: it protects no more than this. */
const LONGEST_STAGE_MS = 24 * 60 * 60 * 1000;

/** What models in use need. */
export interface GcRoots {
  /** sha256 of the stage manifests. */
  readonly manifests: ReadonlySet<string>;
  /** sha256 of files. */
  readonly blobs: ReadonlySet<string>;
  /** Names of folders below `imports`. */
  readonly imports: ReadonlySet<string>;
}

export interface GcPolicy {
  readonly roots: GcRoots;
  /** What was used in this time stays. */
  readonly keepMs: number;
  /** Bytes that the store may have: the entries used least lately go until it fits, also those that `keepMs` would keep. */
  readonly maxBytes?: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface CollectionPlan {
  readonly entries: readonly ScannedEntry[];
  readonly imports: readonly ScannedImport[];
  readonly temporaries: readonly string[];
  /** sha256 of what roots and entries that stay refer to. */
  readonly needed: ReadonlySet<string>;
  /** Used at this time or later: in use by a build that may be running. Milliseconds since 1970. */
  readonly protectedSince: number;
}

/**
 * Roots stay, and whatever was used in the last hour, or since the oldest process that works in this store began and an hour before.
 *
 * @param sizeOf bytes of a blob on disk, 0 when it is not there
 */
export function planCollection(scan: StoreScan, policy: GcPolicy, sizeOf: (sha256: string) => number): CollectionPlan {
  const { roots, now, keepMs } = policy;
  const working = scan.temporaries.filter(({ running }) => running).map(({ since }) => Math.max(since, now - LONGEST_STAGE_MS));
  const protectedSince = Math.min(now, ...working) - ABANDONED_MS;
  const keptSince = Math.min(protectedSince, now - keepMs);
  const isRooted = ({ manifest }: ScannedEntry): boolean => manifest !== undefined && roots.manifests.has(manifest);
  const [staying, going] = partition(scan.entries, (entry) => isRooted(entry) || entry.used >= keptSince);
  const imports = scan.imports.filter(({ name, used }) => !roots.imports.has(name) && used < keptSince);
  const evicted = policy.maxBytes === undefined ? [] : evict(staying.filter((entry) => !isRooted(entry) && entry.used < protectedSince), staying, {
    ...policy, sizeOf, maxBytes: policy.maxBytes - scan.imports.filter((item) => !imports.includes(item)).reduce((sum, { bytes }) => sum + bytes, 0),
  });
  const gone = new Set([...going, ...evicted]);
  return {
    entries: scan.entries.filter((entry) => gone.has(entry)),
    imports,
    temporaries: scan.temporaries.filter(({ abandoned }) => abandoned).map(({ path }) => path),
    needed: new Set([...roots.blobs, ...scan.entries.filter((entry) => !gone.has(entry)).flatMap(({ refs }) => refs.map(({ sha256 }) => sha256))]),
    protectedSince,
  };
}

/** Entries in the order of their last use, until what the others and the roots refer to has at most `maxBytes`. */
function evict(candidates: readonly ScannedEntry[], all: readonly ScannedEntry[], limits: { readonly roots: GcRoots; readonly maxBytes: number; readonly sizeOf: (sha256: string) => number }): ScannedEntry[] {
  const uses = new Map<string, number>([...limits.roots.blobs].map((digest) => [digest, 1]));
  const distinct = (refs: readonly BlobRef[]): string[] => [...new Set(refs.map(({ sha256 }) => sha256))];
  for (const { refs } of all) for (const digest of distinct(refs)) uses.set(digest, (uses.get(digest) ?? 0) + 1);
  let bytes = [...uses.keys()].reduce((sum, digest) => sum + limits.sizeOf(digest), 0) + all.reduce((sum, entry) => sum + entry.bytes, 0);
  const evicted: ScannedEntry[] = [];
  for (const entry of [...candidates].sort((a, b) => a.used - b.used)) {
    if (bytes <= limits.maxBytes) break;
    evicted.push(entry);
    bytes -= entry.bytes;
    for (const digest of distinct(entry.refs)) {
      const left = (uses.get(digest) ?? 1) - 1;
      uses.set(digest, left);
      if (left === 0) bytes -= limits.sizeOf(digest);
    }
  }
  return evicted;
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const [yes, no]: [T[], T[]] = [[], []];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [yes, no];
}
