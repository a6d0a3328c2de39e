/** The folder for incomplete files, and the removal of what killed processes left there. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from './errors.js';

/** Process ids mean nothing to another machine that shares the folder, so young files are left alone. */
export const ABANDONED_MS = 60 * 60 * 1000;

/** Something in the folder, named `<pid>-...` after the process that made it. */
export interface Temporary {
  readonly path: string;
  /** An hour old, and its process is gone. */
  readonly abandoned: boolean;
  /** Whether the process runs on this machine. */
  readonly running: boolean;
  /** When it was made, in milliseconds since 1970. */
  readonly since: number;
}

/** Makes the folder and removes what is abandoned in it. */
export async function prepareTemporaryFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const { path, abandoned } of await listTemporaries(folder)) {
    if (abandoned) await rm(path, { recursive: true, force: true });
  }
  return folder;
}

/** What lies in the folder; nothing when there is none. */
export async function listTemporaries(folder: string): Promise<Temporary[]> {
  const found: Temporary[] = [];
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const pid = /^(\d+)-/.exec(name)?.[1];
    const path = join(folder, name);
    const entry = pid === undefined ? undefined : await stat(path).catch(() => undefined);
    if (entry === undefined) continue;
    const running = isRunning(Number(pid));
    found.push({ path, running, abandoned: !running && Date.now() - entry.mtimeMs > ABANDONED_MS, since: Math.min(entry.birthtimeMs || entry.mtimeMs, entry.mtimeMs) });
  }
  return found;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}
