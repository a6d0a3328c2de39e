/** Finds the one folder below which ONNX Runtime may read: it refuses links and `..` in the locations of weights. */
import { realpath } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import { printable } from '@tundish/diagnostics';
import type { FileResolver } from '@tundish/toolchain';
import { hostError } from './errors.js';

/** Real folder, and for each logical location its path below that folder, without links, `/` between steps. */
export interface WeightRoot {
  readonly folder: string;
  readonly locations: ReadonlyMap<string, string>;
  /** Absolute real path of each location. */
  readonly paths: ReadonlyMap<string, string>;
}

/** @throws HOST_FILE_MISSING */
export async function findWeightRoot(locations: Iterable<string>, resolve: FileResolver): Promise<WeightRoot> {
  const paths = new Map<string, string>();
  for (const location of new Set(locations)) paths.set(location, await realFile(location, resolve(location)));
  const folder = commonFolder([...paths.values()]);
  const below = [...paths].map(([location, path]): [string, string] => [location, relative(folder, path).split(sep).join('/')]);
  return { folder, locations: new Map(below), paths };
}

async function realFile(location: string, path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw hostError('HOST_FILE_MISSING', {
      what: `the weights of ${printable(location)} are not there`,
      why: 'a graph refers to this file, and nothing is at the place where it should be',
      evidence: { path },
      fix: 'run the stage that writes it again',
      cause,
    });
  }
}

function commonFolder(paths: readonly string[]): string {
  const [first = sep, ...rest] = paths;
  let folder = dirname(first);
  for (const path of rest) while (folder !== dirname(folder) && !path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) folder = dirname(folder);
  return folder;
}
