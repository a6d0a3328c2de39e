/** Everything that lies in a store, for a verification of all of it. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type EntryFolder, cachedModels, entryFolders } from '../entry-folders.js';
import type { BlobRef } from '../manifest.js';
import { isSha256 } from '../sha256.js';
import type { Damage } from './file-check.js';

export interface WholeStore {
  readonly entries: readonly EntryFolder[];
  /** Every blob, with the size that it has on disk. */
  readonly blobs: readonly BlobRef[];
  /** Files that are no blobs, and imports that have lost a file. */
  readonly damage: readonly Damage[];
}

export function wholeStore(root: string): WholeStore {
  const folder = join(root, 'blobs', 'sha256');
  const files = filesBelow(folder);
  const isBlob = (path: string): boolean => isSha256(basename(path)) && path === join(folder, basename(path).slice(0, 2), basename(path));
  return {
    entries: cachedModels(root).flatMap((model) => entryFolders(root, model)),
    blobs: files.filter(isBlob).map((path) => ({ sha256: basename(path), size: statSync(path).size })),
    damage: [
      ...files.filter((path) => !isBlob(path)).map((path) => ({ path, what: 'a file that is no blob lies among the blobs', fix: 'delete it' })),
      ...importDamage(join(root, 'imports')),
    ],
  };
}

/** import.json says which files an import has, and how long they are. */
function importDamage(folder: string): Damage[] {
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    const damaged = (what: string): Damage[] => [{ path, what, fix: `delete the folder ${path}: the next build imports the file again` }];
    try {
      const { files } = JSON.parse(readFileSync(join(path, 'import.json'), 'utf8')) as { readonly files: Readonly<Record<string, number>> };
      const lost = Object.entries(files).find(([file, size]) => statSync(join(path, file), { throwIfNoEntry: false })?.size !== size);
      return lost === undefined ? [] : damaged(`${lost[0]} of the import is missing, or has another size than ${lost[1]}`);
    } catch {
      return damaged('import.json cannot be read');
    }
  });
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    // A store without imports has no such folder.
    return [];
  }
}
