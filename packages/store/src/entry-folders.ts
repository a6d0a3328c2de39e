/** The folders of the action cache: `<root>/<model>/<operation>_<first 32 digits of the key>/`, found and ordered without reading them. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const MANIFEST_FILE = 'stage.json';
export const INFO_FILE = 'builder_cache_info.json';

/** What else lies in the cache root: no model can have these names. */
export const STORE_NAMES: ReadonlySet<string> = new Set(['blobs', 'imports', 'tmp', 'file-digests.json', 'code-digests.json', 'custom-stages.json', 'recipes.json']);

const KEY = /^[0-9a-f]{32}$/;
const KEY_DIGITS = 32;

const UNLESS_GONE = { throwIfNoEntry: false } as const;

export interface EntryFolder {
  readonly model: string;
  readonly operation: string;
  /** The first 32 digits of the key. */
  readonly key: string;
  /** Absolute path. */
  readonly path: string;
}

/** The models that have a folder below a cache root, sorted; none when there is no cache. */
export function cachedModels(root: string): string[] {
  return namesIn(root).filter((name) => !STORE_NAMES.has(name) && statSync(join(root, name), { throwIfNoEntry: false })?.isDirectory() === true).sort();
}

/** The entries of a model, in the order of their names. @param operation only entries of this one */
export function entryFolders(root: string, model: string, operation?: string): EntryFolder[] {
  const folder = join(root, model);
  const entries: EntryFolder[] = [];
  // Tens of thousands of names: nothing is asked of the file system for each, and nothing is normalised.
  for (const name of namesIn(folder).sort()) {
    const end = name.length - KEY_DIGITS - 1;
    if (end < 1 || name[end] !== '_') continue;
    const [found, key] = [name.slice(0, end), name.slice(end + 1)];
    if (KEY.test(key) && (operation === undefined || found === operation)) entries.push({ model, operation: found, key, path: `${folder}/${name}` });
  }
  return entries;
}

/** When an entry was published or last served, in milliseconds since 1970; undefined when it has lost its sidecar. */
export function lastUse(entry: EntryFolder): number | undefined {
  return statSync(`${entry.path}/${INFO_FILE}`, UNLESS_GONE)?.mtimeMs;
}

/** The same entries, the one used last first; those without a sidecar are left out. */
export function byLastUse(entries: readonly EntryFolder[]): EntryFolder[] {
  const timed = entries.map((entry) => ({ entry, used: lastUse(entry) ?? -1 })).filter(({ used }) => used >= 0);
  return timed.sort((a, b) => b.used - a.used).map(({ entry }) => entry);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // No cache yet, or none that can be read: it holds nothing for us.
    return [];
  }
}
