/** The cache entry that last served or gave a unit of a model: what a new key is compared with. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EntryFolder, MANIFEST_FILE, type Sidecar, type StageManifest, byLastUse, decodeManifest, entryFolders, readSidecar } from '@tundish/store';
import type { Unit } from '../plan.js';

export interface LastEntry {
  readonly path: string;
  readonly sidecar: Sidecar;
  readonly manifest: StageManifest;
}

/** Looks when it is asked, and only at entries of the stage that it is asked for: a store may hold tens of thousands. */
export class LastEntries {
  #folders: readonly EntryFolder[] | undefined;
  readonly #ordered = new Map<string, readonly EntryFolder[]>();
  readonly #subjects = new Map<string, string | null | undefined>();

  constructor(private readonly cacheRoot: string, private readonly model: string) {}

  /** The entry of a unit that was used last; undefined when it was never built, or when its entries are damaged. */
  ofUnit({ stage, subject }: Unit): LastEntry | undefined {
    return this.#first(stage, (entry) => this.#subjectOf(entry) === subject);
  }

  /** The entry of a stage that was used last, of whatever unit. */
  ofStage(stage: string): LastEntry | undefined {
    return this.#first(stage, () => true);
  }

  #first(stage: string, fits: (entry: EntryFolder) => boolean): LastEntry | undefined {
    for (const entry of this.#usedLastFirst(stage)) {
      const last = fits(entry) ? readEntry(entry.path) : undefined;
      if (last !== undefined) return last;
    }
    return undefined;
  }

  #usedLastFirst(stage: string): readonly EntryFolder[] {
    this.#folders ??= entryFolders(this.cacheRoot, this.model);
    const ordered = this.#ordered.get(stage) ?? byLastUse(this.#folders.filter(({ operation }) => operation === stage));
    this.#ordered.set(stage, ordered);
    return ordered;
  }

  #subjectOf(entry: EntryFolder): string | null | undefined {
    if (!this.#subjects.has(entry.path)) this.#subjects.set(entry.path, readSubject(entry));
    return this.#subjects.get(entry.path);
  }
}

/** Without the checks of a manifest: there may be thousands to pass over. */
function readSubject({ path }: EntryFolder): string | null | undefined {
  try {
    const { subject } = JSON.parse(readFileSync(`${path}/${MANIFEST_FILE}`, 'utf8')) as { readonly subject?: string | null };
    return subject;
  } catch {
    // A damaged entry served nobody.
    return undefined;
  }
}

/** @param path of a folder of the action cache; one that is gone or damaged gives undefined */
export function readEntry(path: string): LastEntry | undefined {
  try {
    const file = join(path, MANIFEST_FILE);
    return { path, sidecar: readSidecar(path), manifest: decodeManifest(readFileSync(file), file) };
  } catch {
    // As above.
    return undefined;
  }
}
