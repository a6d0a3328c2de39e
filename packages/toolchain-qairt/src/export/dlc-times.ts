/** Takes the time of writing out of a deep learning container, so that equal graphs give equal bytes. */
import { type FileHandle, open } from 'node:fs/promises';
import { readArchive } from '../libraries/archive.js';

const METADATA = /^dlc\.metadata/;
const MOST_METADATA_BYTES = 2 ** 20;
/** Inside a stored entry that has no checksum, and of the same length. */
const TIME = /"timestamp": "\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"/g;
const NO_TIME = '"timestamp": "1970-01-01 00:00:00 UTC"';
/** Head of an entry up to its name: lengths of name and extra field are its last two words (APPNOTE 4.3.7). */
const HEAD_BYTES = 30;

/** @throws what reading a damaged archive fails with */
export async function clearTimes(path: string): Promise<void> {
  const found: { readonly at: number; readonly bytes: number }[] = [];
  await readArchive(path, ({ name, at, bytes, isStored }) => {
    if (METADATA.test(name) && isStored && bytes <= MOST_METADATA_BYTES) found.push({ at, bytes });
    return Promise.resolve();
  });
  const file = await open(path, 'r+');
  try {
    for (const { at, bytes } of found) await clearEntry(file, at, bytes);
  } finally {
    await file.close();
  }
}

async function clearEntry(file: FileHandle, at: number, bytes: number): Promise<void> {
  const head = await readAt(file, at, HEAD_BYTES);
  const content = at + HEAD_BYTES + head.readUInt16LE(26) + head.readUInt16LE(28);
  const text = (await readAt(file, content, bytes)).toString('latin1');
  const cleared = text.replaceAll(TIME, NO_TIME);
  if (cleared !== text) await file.write(cleared, content, 'latin1');
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new Error(`the archive ends at ${position + bytesRead}`);
  return buffer;
}
