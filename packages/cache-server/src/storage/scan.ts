/** Finds the entries of a folder, without reading them. Names that no entry can have are left alone, symbolic links are not followed. */
import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { type EntryName, KINDS, type Kind, NAMESPACES, RECORD_SUFFIX, type Space, TRUSTED, isKey, isNamespace, shardOf, spaceOfNamespace } from './layout.js';

export interface FoundEntry {
  readonly name: EntryName;
  /** Bytes of the body. */
  readonly size: number;
  /** When it was last used, in milliseconds since 1970. */
  readonly usedAt: number;
}

/**
 * All entries, the one unused longest first.
 *
 * @param onHalf hears the path of each half of an entry that a killed server left: a record is written before its body and removed
 * after it, so that alone it belongs to nothing; a body alone has lost its digest
 */
export function findEntries(root: string, onHalf: (path: string) => void = () => undefined): FoundEntry[] {
  return foldersOf(root).flatMap(({ path, space, kind, shard }) => {
    const files = filesIn(path);
    const names = new Set(files);
    return files.flatMap((file) => {
      const isRecord = file.endsWith(RECORD_SUFFIX);
      const key = isRecord ? file.slice(0, -RECORD_SUFFIX.length) : file;
      if (!isKey(kind, key)) return [];
      if (!names.has(isRecord ? key : key + RECORD_SUFFIX)) {
        onHalf(`${path}/${file}`);
        return [];
      }
      return isRecord || shardOf(kind, key) !== shard ? [] : sized(`${path}/${key}`, { space, kind, key });
    });
  }).sort((a, b) => a.usedAt - b.usedAt);
}

function foldersOf(root: string): { readonly path: string; readonly space: Space; readonly kind: Kind; readonly shard: string }[] {
  const spaces = [TRUSTED, ...foldersIn(`${root}/${NAMESPACES}`).filter(isNamespace).map(spaceOfNamespace)];
  return spaces.flatMap((space) => KINDS.flatMap((kind) => foldersIn(`${root}/${space}/${kind}`).map((shard) => ({ path: `${root}/${space}/${kind}/${shard}`, space, kind, shard }))));
}

/** None when it has gone meanwhile. */
function sized(path: string, name: EntryName): FoundEntry[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined ? [] : [{ name, size: found.size, usedAt: found.mtimeMs }];
}

function foldersIn(folder: string): string[] {
  return listed(folder).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

function filesIn(folder: string): string[] {
  return listed(folder).filter((entry) => entry.isFile()).map((entry) => entry.name);
}

function listed(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
