/** A disk of 64 KB in memory, which only root can mount: tests with it are skipped elsewhere. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @returns false, and nothing done, where mounting is not allowed */
export async function onSmallDisk(use: (folder: string) => Promise<void>): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-disk-'));
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tundish-test', folder]).status !== 0) return false;
    try {
      await use(folder);
    } finally {
      spawnSync('umount', ['-l', folder]);
    }
    return true;
  } finally {
    rmdirSync(folder);
  }
}
