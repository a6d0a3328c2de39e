/** Puts what a replayed stage made where a person asked for it, whole or not at all. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BlobRef, MANIFEST_FILE, type StageManifest, diskError, encodeManifest, makeFolder, uniqueSuffix } from '@tundish/store';
import { stageError } from '../errors.js';
import type { StageFile } from '../stage.js';

/** @throws STAGE_REPLAY_FOLDER */
export function requireFree(folder: string): void {
  if (!existsSync(folder)) return;
  throw stageError('STAGE_REPLAY_FOLDER', { what: 'the folder for the result of a replay is there already', why: 'nothing is overwritten', evidence: { path: folder }, fix: 'name one that does not exist yet' });
}

/** Copies, so that the store does not depend on what is done with them. @param pathOf where a file lies that the stage handed on @throws the disk errors */
export async function saveResult(folder: string, files: readonly StageFile[], manifest: StageManifest, pathOf: (ref: BlobRef) => string): Promise<void> {
  const incomplete = `${folder}.${uniqueSuffix()}`;
  try {
    await makeFolder(incomplete);
    for (const file of files) {
      const path = join(incomplete, file.name);
      await mkdir(dirname(path), { recursive: true });
      if ('bytes' in file) await writeFile(path, file.bytes);
      else await copyFile('path' in file ? file.path : pathOf(file.from), path);
    }
    await writeFile(join(incomplete, MANIFEST_FILE), encodeManifest(manifest));
    await rename(incomplete, folder);
  } catch (error) {
    throw diskError(error, 'save the result of a replay', folder);
  } finally {
    await rm(incomplete, { recursive: true, force: true });
  }
}
