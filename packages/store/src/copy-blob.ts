/** Copies a blob to where a hard link is impossible. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { writeThenRename } from './durable-write.js';
import { storeError } from './errors.js';
import { uniqueSuffix } from './process-mark.js';
import { sha256Handle } from './sha256.js';

/** To a name that must not exist, complete or not at all. @throws STORE_LINK_EXISTS */
export async function copyBlob(blob: string, destination: string): Promise<void> {
  const source = await open(blob, 'r');
  try {
    if (existsSync(destination)) throw storeError('STORE_LINK_EXISTS', { what: 'a blob cannot be put where a file is', evidence: { path: destination }, fix: 'remove that file' });
    await writeThenRename(`${destination}.${uniqueSuffix()}`, destination, 0o444, async (file) => {
      await sha256Handle(source, undefined, (chunk) => file.writeFile(chunk));
    });
  } finally {
    await source.close();
  }
}
