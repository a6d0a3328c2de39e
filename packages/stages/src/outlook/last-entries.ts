/** The cache entry that last served or gave each unit of a model: what a new key is compared with. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EntryFolder, MANIFEST_FILE, type Sidecar, type StageManifest, byLastUse, decodeManifest, entryFolders, readSidecar } from '@tundish/store';
import { type Unit, unitName } from '../plan.js';
import type { StageName } from '../stage.js';

export interface LastEntry {
  readonly path: string;
  readonly sidecar: Sidecar;
  readonly manifest: StageManifest;
}

export interface LastEntries {
  /** The entry used last of each unit, by unit name, in the order of the stages. */
  readonly units: ReadonlyMap<string, LastEntry>;
  /** The entry used last of each stage, of whatever unit. */
  readonly stages: ReadonlyMap<StageName, LastEntry>;
}

/** Units that were never built, or whose entries are damaged, are absent. */
export function lastEntries(cacheRoot: string, model: string, units: readonly Unit[]): LastEntries {
  const found = new Map<string, LastEntry>();
  const stages = new Map<StageName, LastEntry>();
  for (const stage of new Set(units.map((unit) => unit.stage))) {
    const wanted = new Set(units.filter((unit) => unit.stage === stage).map(unitName));
    for (const entry of byLastUse(entryFolders(cacheRoot, model, stage))) {
      if (wanted.size === 0) break;
      const subject = subjectOf(entry);
      const name = subject === undefined ? undefined : unitName({ stage, subject });
      if (name === undefined || (!wanted.has(name) && stages.has(stage))) continue;
      const last = readEntry(entry);
      if (last === undefined) continue;
      if (!stages.has(stage)) stages.set(stage, last);
      if (wanted.delete(name)) found.set(name, last);
    }
  }
  return { units: found, stages };
}

/** Without the checks of a manifest: there may be thousands to pass over. */
function subjectOf(entry: EntryFolder): string | null | undefined {
  try {
    const { subject } = JSON.parse(readFileSync(join(entry.path, MANIFEST_FILE), 'utf8')) as { readonly subject?: string | null };
    return subject;
  } catch {
    // A damaged entry served nobody.
    return undefined;
  }
}

function readEntry({ path }: EntryFolder): LastEntry | undefined {
  try {
    const file = join(path, MANIFEST_FILE);
    return { path, sidecar: readSidecar(path), manifest: decodeManifest(readFileSync(file), file) };
  } catch {
    // As above.
    return undefined;
  }
}
