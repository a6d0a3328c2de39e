/** Folders with their parents. */
import { mkdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { errnoOf } from './errors.js';

/** Makes a folder and its parents, or says truly why not. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    // Node.js calls a full disk ENOENT here, but only in this form of the call.
    mkdirSync(path, { recursive: true });
  });
}
