/** Folders with their parents. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from './errors.js';

/**
 * Makes a folder and its parents, or says truly why not. Node.js's own recursive form calls a full disk and a read-only one
 * ENOENT, and never ends where a parent exists that takes no folders (/proc), so each folder is asked for by itself.
 */
export async function makeFolder(path: string): Promise<void> {
  const refusal = await tryToMake(path);
  if (errnoOf(refusal) === 'ENOENT' && dirname(path) !== path) {
    await makeFolder(dirname(path));
    const again = await tryToMake(path);
    if (again !== undefined) throw again;
  } else if (refusal !== undefined) throw refusal;
}

/** What the system said, or undefined when the folder is there. */
async function tryToMake(path: string): Promise<unknown> {
  try {
    await mkdir(path);
    return undefined;
  } catch (error) {
    const isThere = errnoOf(error) !== 'ENOENT' && (await stat(path).then((found) => found.isDirectory(), () => false));
    return isThere ? undefined : error;
  }
}
