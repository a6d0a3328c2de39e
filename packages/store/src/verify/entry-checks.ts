/** What must be true of a cache entry: sidecar, manifest and name agree, and every output is its blob or a copy of it. */
import { type Stats, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@tundish/diagnostics';
import { canonicalJson } from '../canonical-json.js';
import { type EntryFolder, MANIFEST_FILE } from '../entry-folders.js';
import { type StageManifest, decodeManifest } from '../manifest.js';
import { sha256 } from '../sha256.js';
import { type Sidecar, readSidecar } from '../sidecar.js';
import { blobPath } from '../blob-path.js';
import type { Damage, FileCheck } from './file-check.js';

const UNLESS_GONE = { throwIfNoEntry: false } as const;

export interface EntryChecks {
  readonly damage: readonly Damage[];
  /** Copies, which exist where links are impossible, and files that are no longer the blob's. */
  readonly checks: readonly FileCheck[];
  /** sha256 and size of what the entry made; empty when its manifest cannot be read. */
  readonly outputs: StageManifest['outputs'];
  /** sha256 of outputs that have a name in the entry; the others have never been on this machine, or their names are gone too. */
  readonly named: readonly string[];
}

/** Looks at everything but the bytes of outputs. */
export function entryChecks(root: string, entry: EntryFolder): EntryChecks {
  const fix = `delete the folder ${entry.path}: the next build makes the entry again`;
  const broken = (what: string): Damage => ({ path: entry.path, what, fix });
  let sidecar: Sidecar;
  let bytes: Buffer;
  let manifest: StageManifest;
  try {
    sidecar = readSidecar(entry.path);
    bytes = readFileSync(join(entry.path, MANIFEST_FILE));
    manifest = decodeManifest(bytes, join(entry.path, MANIFEST_FILE));
  } catch (error) {
    return { damage: [broken(`the entry cannot be read: ${messageOf(error).split('\n', 2).join(';')}`)], checks: [], outputs: [], named: [] };
  }
  const damage: Damage[] = [];
  if (sidecar.manifest !== sha256(bytes)) damage.push(broken('stage.json is not the one that builder_cache_info.json names'));
  if (sidecar.operation !== entry.operation || !sidecar.hash.startsWith(entry.key)) damage.push(broken('builder_cache_info.json belongs to another entry'));
  if (sha256(canonicalJson(sidecar.config)) !== sidecar.hash) damage.push(broken('the key is not the digest of the fields that builder_cache_info.json lists'));
  const checks: FileCheck[] = [];
  const named: string[] = [];
  for (const output of manifest.outputs) {
    const path = join(entry.path, output.name);
    const [name, blob] = [statSync(path, UNLESS_GONE), statSync(blobPath(root, output.sha256), UNLESS_GONE)];
    if (name !== undefined) named.push(output.sha256);
    // An entry of a remote cache has no file until something reads it, and no name of it until it is looked up again.
    if (name === undefined || isSameFile(name, blob)) continue;
    checks.push({ path, sha256: output.sha256, size: output.size, of: `${output.name} of the entry`, fix });
  }
  return { damage, checks, outputs: manifest.outputs, named };
}

function isSameFile(one: Stats, other: Stats | undefined): boolean {
  return other !== undefined && one.dev === other.dev && one.ino === other.ino;
}
