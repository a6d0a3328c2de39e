/** The folder for incomplete files, and the removal of what killed processes left there and elsewhere. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from './make-folder.js';
import { makerOf } from './process-mark.js';

/** Whether a process of another machine still runs cannot be asked, so what it writes is left alone while it is young. */
const ABANDONED_MS = 60 * 60 * 1000;

/** Makes the folder and removes what ended processes left in it. */
export async function prepareTemporaryFolder(folder: string): Promise<string> {
  await makeFolder(folder);
  await removeAbandoned(folder, '');
  return folder;
}

/** Removes what ended processes left in `folder` under names of `prefix` and a `uniqueSuffix`. */
export async function removeAbandoned(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (name.startsWith(prefix) && (await isAbandoned(path, name.slice(prefix.length)))) await rm(path, { recursive: true, force: true });
  }
}

async function isAbandoned(path: string, suffix: string): Promise<boolean> {
  const maker = makerOf(suffix);
  if (maker === undefined || maker.isRunning) return false;
  if (maker.isOfThisMachine) return true;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_MS;
}
