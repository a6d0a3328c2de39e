/** The folder for incomplete files, and the removal of what killed processes left there. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from './errors.js';

/** Process ids mean nothing to another machine that shares the folder, so young files are left alone. */
const ABANDONED_MS = 60 * 60 * 1000;

/** Makes the folder and removes entries named `<pid>-...` that are an hour old and whose process is gone. */
export async function prepareTemporaryFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const pid = /^(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const path = join(folder, name);
    const entry = await stat(path).catch(() => undefined);
    if (entry !== undefined && Date.now() - entry.mtimeMs > ABANDONED_MS) await rm(path, { recursive: true, force: true });
  }
  return folder;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}
