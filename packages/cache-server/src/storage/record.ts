/** The record beside each entry: who wrote it, when, and which bytes. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isSha256 } from '@tundish/store';

export interface EntryRecord {
  /** Name of the token that wrote the entry; `anonymous` on a server without tokens. */
  readonly writer: string;
  readonly sha256: string;
  /** Bytes of the body. */
  readonly size: number;
  /** ISO 8601, UTC. */
  readonly time: string;
}

/** Records are a line of JSON; a larger file is something else. */
const MAX_BYTES = 4096;

/** @returns undefined when there is none, or when it is damaged */
export async function readRecord(path: string): Promise<EntryRecord | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    return text.length > MAX_BYTES ? undefined : decode(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @param temporary a name on the same file system that nobody else uses */
export async function writeRecord(path: string, temporary: string, { writer, sha256, size, time }: EntryRecord): Promise<void> {
  try {
    await writeFile(temporary, `${JSON.stringify({ writer, sha256, size, time })}\n`, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function decode(value: unknown): EntryRecord | undefined {
  const { writer, sha256, size, time } = (value ?? {}) as Partial<EntryRecord>;
  return typeof writer === 'string' && isSha256(sha256) && Number.isSafeInteger(size) && typeof time === 'string' ? { writer, sha256, size: size as number, time } : undefined;
}
