/** A folder for what is not whole yet: gone when the work ends, however it ends. What killed processes left goes too. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** @param beside the folder that it lies in, on whose disk the work is to end up */
export async function withPartialFolder<T>(beside: string, work: (folder: string) => Promise<T>): Promise<T> {
  removeAbandoned(beside);
  const folder = mkdtempSync(join(beside, `.partial-${process.pid}-`));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function removeAbandoned(beside: string): void {
  for (const name of readdirSync(beside)) {
    const [, pid] = /^\.partial-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(beside, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
