/** `tundish-cache purge --writer NAME`: removes everything that one token has written. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { formatBytes } from '@tundish/diagnostics';
import { cacheError } from '../errors.js';
import type { Io } from '../io.js';
import { TRUSTED, bodyPath, recordPath } from '../storage/layout.js';
import { readRecord } from '../storage/record.js';
import { findEntries } from '../storage/scan.js';

export interface PurgeFlags {
  readonly dir: string;
  readonly writer: string;
  readonly json: boolean;
}

/** Works beside a running server, which finds the files gone. @throws CACHE_FOLDER */
export async function purgeCommand({ dir, writer, json }: PurgeFlags, io: Io): Promise<void> {
  const root = resolve(dir);
  if (!existsSync(`${root}/${TRUSTED}`) && !existsSync(`${root}/tmp`)) throw cacheError('CACHE_FOLDER', { what: 'this is no folder of a cache server', evidence: { path: root }, fix: 'name the folder that the server was started with' });
  let [entries, bytes] = [0, 0];
  for (const { name, size } of findEntries(root)) {
    if ((await readRecord(recordPath(root, name)))?.writer !== writer) continue;
    await rm(bodyPath(root, name), { force: true });
    await rm(recordPath(root, name), { force: true });
    entries += 1;
    bytes += size;
  }
  io.out(json ? `${JSON.stringify({ entries, bytes })}\n` : `removed ${entries} entries of ${writer}, ${formatBytes(bytes)}\n`);
}
