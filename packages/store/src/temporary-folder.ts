/** The folder for incomplete files, and the removal of what killed processes left there and elsewhere. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from './make-folder.js';
import { makerOf } from './process-mark.js';

/** Whether a process of another machine still runs cannot be asked, so what it writes is left alone while it is young. */
export const ABANDONED_MS = 60 * 60 * 1000;

/** Something under a name of `uniqueSuffix`, after the process that made it. */
export interface Temporary {
  readonly path: string;
  /** Its process has ended; one of another machine is taken to have ended after an hour. */
  readonly abandoned: boolean;
  /** Whether the process runs on this machine. */
  readonly running: boolean;
  /** When it was made, in milliseconds since 1970. */
  readonly since: number;
}

/** Makes the folder and removes what is abandoned in it. */
export async function prepareTemporaryFolder(folder: string): Promise<string> {
  await makeFolder(folder);
  await removeAbandoned(folder, '');
  return folder;
}

/** Removes what ended processes left in `folder` under names of `prefix` and a `uniqueSuffix`. */
export async function removeAbandoned(folder: string, prefix: string): Promise<void> {
  for (const { path, abandoned } of await temporariesIn(folder, await readdir(folder), prefix)) {
    if (abandoned) await rm(path, { recursive: true, force: true });
  }
}

/** What lies in the folder; nothing when there is none. */
export async function listTemporaries(folder: string): Promise<Temporary[]> {
  return temporariesIn(folder, await readdir(folder).catch((): string[] => []), '');
}

async function temporariesIn(folder: string, names: readonly string[], prefix: string): Promise<Temporary[]> {
  const found: Temporary[] = [];
  for (const name of names) {
    const maker = name.startsWith(prefix) ? makerOf(name.slice(prefix.length)) : undefined;
    const path = join(folder, name);
    const entry = maker === undefined ? undefined : await stat(path).catch(() => undefined);
    if (maker === undefined || entry === undefined) continue;
    const { isRunning: running, isOfThisMachine } = maker;
    const abandoned = !running && (isOfThisMachine || Date.now() - entry.mtimeMs > ABANDONED_MS);
    found.push({ path, running, abandoned, since: Math.min(entry.birthtimeMs || entry.mtimeMs, entry.mtimeMs) });
  }
  return found;
}
