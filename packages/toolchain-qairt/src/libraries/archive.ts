/** Reads an archive entry by entry. Names that lead out of it, and sizes that are not true, are refused. */
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';

export interface ArchiveEntry {
  /** With forward slashes; a folder ends with one. */
  readonly name: string;
  /** Unpacked. */
  readonly bytes: number;
  /** Where the entry begins in the archive: its head, then its name, then its bytes. */
  readonly at: number;
  /** The bytes are kept as they are. */
  readonly isStored: boolean;
}

export type Visit = (entry: ArchiveEntry, open: () => Promise<Readable>) => Promise<void>;

const openZip = promisify<string, object, ZipFile>(yauzl.open);

/** @throws what the file system, the archive or `visit` fails with */
export async function readArchive(path: string, visit: Visit): Promise<void> {
  const zip = await openZip(path, { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true });
  const openStream = promisify<Entry, Readable>(zip.openReadStream.bind(zip));
  try {
    for (let left = zip.entryCount; left > 0; left--) {
      const entry = await nextEntry(zip);
      await visit({ name: entry.fileName, bytes: entry.uncompressedSize, at: entry.relativeOffsetOfLocalHeader, isStored: entry.compressionMethod === 0 }, () => openStream(entry));
    }
  } finally {
    zip.close();
  }
}

/** All bytes of an entry that should be small. */
export async function readWhole(stream: Readable, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`an entry is longer than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function nextEntry(zip: ZipFile): Promise<Entry> {
  return new Promise((resolve, reject) => {
    const forget = (): void => void zip.off('entry', onEntry).off('error', onError).off('end', onEnd);
    const onEntry = (entry: Entry): void => {
      forget();
      resolve(entry);
    };
    const onError = (error: Error): void => {
      forget();
      reject(error);
    };
    const onEnd = (): void => onError(new Error('the archive has fewer entries than it says'));
    zip.on('entry', onEntry).on('error', onError).on('end', onEnd);
    zip.readEntry();
  });
}
