/** Disk space: what lies below folders, and whether there is enough of it. */
import { readdirSync, statSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** Disk space of all files below the folders, each inode once: hard links are not content. */
export function bytesBelow(...folders) {
  const inodes = new Map();
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const { ino, blocks } = statSync(join(entry.parentPath, entry.name));
      inodes.set(ino, blocks * 512);
    }
  }
  return [...inodes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Refuses before anything is written. */
export function requireSpace(folder, bytes, purpose) {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= bytes) return;
  const gigabytes = (count) => `${(count / 1e9).toFixed(1)} GB`;
  throw new Error(`${purpose} needs ${gigabytes(bytes)} of disk, and ${gigabytes(bavail * bsize)} are free at ${folder}`);
}
