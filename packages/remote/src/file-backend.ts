/** A remote cache in a folder that machines share: `cas/<sha256>` and `ac/<key>`, each placed whole by one link. */
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { type BlobRef, type RemoteCache, makeFolder, prepareTemporaryFolder, uniqueSuffix, writeThenPlace } from '@tundish/store';
import { remoteError } from './errors.js';
import { copyBytes } from './file-bytes.js';

/** Errors of a place in which this user may not write, or not so much. */
const REFUSALS = new Set(['EACCES', 'EPERM', 'EROFS', 'EDQUOT', 'ENOSPC']);
/** Errors of link(2) on file systems without hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']);

export class FileBackend implements RemoteCache {
  readonly name: string;
  #temporary: Promise<string> | undefined;

  /** @param folder absolute */
  constructor(private readonly folder: string) {
    this.name = pathToFileURL(folder).href;
  }

  async hasBlob(ref: BlobRef): Promise<boolean> {
    return (await unlessAbsent(stat(this.#blob(ref.sha256))))?.size === ref.size;
  }

  async readBlob(ref: BlobRef): Promise<Readable | undefined> {
    return (await unlessAbsent(open(this.#blob(ref.sha256), 'r')))?.createReadStream();
  }

  writeBlob(ref: BlobRef, path: string, signal: AbortSignal, onBytes?: (count: number) => void): Promise<'stored' | 'refused'> {
    return this.#write(this.#blob(ref.sha256), (file) => copyBytes(path, file, signal, onBytes));
  }

  readEntry(key: string): Promise<Uint8Array | undefined> {
    return unlessAbsent(readFile(this.#entry(key)));
  }

  writeEntry(key: string, bytes: Uint8Array): Promise<'stored' | 'refused'> {
    return this.#write(this.#entry(key), (file) => file.writeFile(bytes));
  }

  #blob(sha256: string): string {
    return join(this.folder, 'cas', sha256);
  }

  #entry(key: string): string {
    return join(this.folder, 'ac', key);
  }

  async #write(place: string, fill: (file: FileHandle) => Promise<void>): Promise<'stored' | 'refused'> {
    try {
      const temporary = join(await this.#temporaryFolder(), uniqueSuffix());
      await writeThenPlace(temporary, undefined, fill, async () => {
        await makeFolder(join(place, '..'));
        await placed(temporary, place);
        await rm(temporary, { force: true });
      });
      return 'stored';
    } catch (error) {
      if (REFUSALS.has(rootErrno(error))) return 'refused';
      throw unavailable(error);
    }
  }

  #temporaryFolder(): Promise<string> {
    this.#temporary ??= prepareTemporaryFolder(join(this.folder, 'tmp'));
    return this.#temporary;
  }
}

/** What is there stays: names are digests, and the first entry of a key is the one that others may have read. */
async function placed(temporary: string, place: string): Promise<void> {
  try {
    await link(temporary, place);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EEXIST') return;
    if (!NO_LINKS.has(code)) throw error;
    if ((await unlessAbsent(stat(place))) === undefined) await rename(temporary, place);
  }
}

async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw unavailable(error);
  }
}

function unavailable(cause: unknown): unknown {
  const code = rootErrno(cause);
  return code === '' ? cause : remoteError('REMOTE_UNAVAILABLE', { what: 'the folder of the remote cache cannot be used', why: `the operating system says ${code}`, fix: 'look at the folder and at what it is mounted from', cause });
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && 'syscall' in error && typeof error.code === 'string' ? error.code : '';
}

/** Functions of the store wrap what the operating system said. */
function rootErrno(error: unknown): string {
  return errnoOf(error) || (error instanceof Error ? errnoOf(error.cause) : '');
}
