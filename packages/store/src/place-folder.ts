/** Gives a finished folder its place with one rename, also when other processes do the same at once. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, storeError } from './errors.js';

const ATTEMPTS = 20;
/** Errors of rename(2) when a folder with content, or a file, is in the way. */
const OCCUPIED = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR']);

/**
 * A whole folder that is there stays: somebody may be reading it. A damaged one is moved into `scratch`.
 *
 * @param scratch folder on the same file system that the caller removes afterwards
 * @param find what is whole at `place`, undefined when nothing is
 * @returns what another process had placed, or undefined when `built` is in place now
 * @throws STORE_ACTION_CONTENDED
 */
export async function placeFolder<T>(built: string, place: string, scratch: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await rename(built, place);
      return undefined;
    } catch (error) {
      if (!OCCUPIED.has(errnoOf(error) ?? '')) throw error;
    }
    const winner = await find();
    if (winner !== undefined) return winner;
    await rename(place, join(scratch, `damaged-${attempt}`)).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
  }
  throw storeError('STORE_ACTION_CONTENDED', { what: 'a cache entry was replaced again and again while it was published', evidence: { path: place }, fix: 'run again with fewer processes on this cache' });
}
