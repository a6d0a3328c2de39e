/** Disk space: what lies below folders, and whether there is enough of it. */
import { readdirSync, statSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** Disk space of everything below the folders, as du counts it: folders too, each inode once, since hard links are not content. */
export function bytesBelow(...folders) {
  return sum(contentBelow(...folders).values());
}

/** Disk space of what is in `after` and was not in `before`; a file that was replaced is new. Both are of `contentBelow`. */
export function newBytes(after, before) {
  return sum([...after].filter(([file]) => !before.has(file)).map(([, bytes]) => bytes));
}

/** Disk space by inode and time of the last write. */
export function contentBelow(...folders) {
  const found = new Map();
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const { ino, mtimeNs, blocks } = statSync(join(entry.parentPath, entry.name), { bigint: true });
      found.set(`${ino} ${mtimeNs}`, Number(blocks) * 512);
    }
  }
  return found;
}

function sum(counts) {
  return [...counts].reduce((total, count) => total + count, 0);
}

/** Refuses before anything is written. */
export function requireSpace(folder, bytes, purpose) {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= bytes) return;
  const gigabytes = (count) => `${(count / 1e9).toFixed(1)} GB`;
  throw new Error(`${purpose} needs ${gigabytes(bytes)} of disk, and ${gigabytes(bavail * bsize)} are free at ${folder}`);
}
