/** Writing files so that a reader sees the old content or the new, never a part, also after a crash. */
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { diskError } from './errors.js';
import { makeFolder } from './make-folder.js';
import { uniqueSuffix } from './process-mark.js';
import { removeAbandoned } from './temporary-folder.js';

/**
 * Fills a new file, syncs it and lets `place` give it its name. On any failure nothing is left behind.
 *
 * @param temporary path of the file while it is incomplete; on the same file system as its final place
 * @param mode of the finished file; undefined for what the user's mask makes of 0o644
 * @param fill writes the content
 */
export async function writeThenPlace(temporary: string, mode: number | undefined, fill: (file: FileHandle) => Promise<void>, place: () => Promise<void>): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, 'wx', 0o644);
    await fill(file);
    if (mode !== undefined) await file.chmod(mode);
    // Without it a crash may leave a file of the right size with other bytes.
    await file.sync();
    await file.close();
    await place();
  } catch (error) {
    await file?.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

/** `writeThenPlace` with one rename, which replaces what is at `path`. */
export async function writeThenRename(temporary: string, path: string, mode: number, fill: (file: FileHandle) => Promise<void>): Promise<void> {
  await writeThenPlace(temporary, mode, fill, () => rename(temporary, path));
}

/**
 * Writes a file, making its folder when needed; concurrent writers do not mix. What killed writers of this file left is removed.
 *
 * @throws STORE_DISK_FULL, STORE_READ_ONLY, STORE_NO_PERMISSION, STORE_IO
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  try {
    const folder = dirname(path);
    const prefix = `.${basename(path)}.`;
    await makeFolder(folder);
    await removeAbandoned(folder, prefix);
    await writeThenRename(join(folder, `${prefix}${uniqueSuffix()}`), path, 0o644, (file) => file.writeFile(bytes));
  } catch (error) {
    throw diskError(error, 'write a file', path);
  }
}
