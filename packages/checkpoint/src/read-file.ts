/** Opens and reads files of a checkpoint; what the operating system says becomes an error with a path and a fix. */
import { open, readFile, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { fault } from './errors.js';

/** Most files of a checkpoint that are read whole are far smaller; a larger one is damaged or hostile. */
const TEXT_LIMIT = 256 * 1024 * 1024;

/**
 * Opens a regular file for reading.
 *
 * @throws TundishError CHECKPOINT_FILE_NOT_FOUND, CHECKPOINT_FILE_UNREADABLE
 */
export async function openRegularFile(path: string): Promise<{ readonly handle: FileHandle; readonly size: number }> {
  const size = await regularFileSize(path);
  try {
    return { handle: await open(path, 'r'), size };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Bytes of a regular file; the same errors as `openRegularFile`. */
export async function regularFileSize(path: string): Promise<number> {
  const status = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (status.isFile()) return status.size;
  throw fault('CHECKPOINT_FILE_UNREADABLE', {
    what: status.isDirectory() ? `${path} is a directory, a file was expected` : `${path} is not a regular file`,
    evidence: { path },
    fix: 'Put the file itself there.',
  });
}

/** Whether something with this name is there, whatever it is. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Reads a text file; a byte order mark is dropped.
 *
 * @throws TundishError CONFIG_NOT_JSON when the bytes are not UTF-8 or absurdly many
 */
export async function readUtf8(path: string): Promise<string> {
  const size = await regularFileSize(path);
  if (size > TEXT_LIMIT) throw fault('CONFIG_NOT_JSON', { what: `${path} has ${size} bytes`, why: `At most ${TEXT_LIMIT} are read.`, evidence: { path } });
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fault('CONFIG_NOT_JSON', { what: `${path} is not valid UTF-8`, evidence: { path }, fix: 'Save the file as UTF-8.' });
  }
}

/**
 * Fills a new buffer from `offset`; its own ArrayBuffer, so typed-array views of any width are aligned.
 *
 * @throws TundishError CHECKPOINT_FILE_UNREADABLE when the file ends before `length` bytes are read
 */
export async function readRange(handle: FileHandle, path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    // One read of the kernel carries at most 2 GiB.
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 1 << 30), offset + done);
    if (bytesRead === 0) {
      throw fault('CHECKPOINT_FILE_UNREADABLE', {
        what: `${path} ended at byte ${offset + done}, ${length - done} bytes early`,
        why: 'The file became shorter while it was read.',
        evidence: { path, offset: offset + done },
        fix: 'Wait until nothing writes the file any more, then run again.',
      });
    }
    done += bytesRead;
  }
  return bytes;
}

function unreadable(path: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return fault('CHECKPOINT_FILE_NOT_FOUND', { what: `${path} not found`, evidence: { path }, fix: 'Check that the checkpoint is complete.', cause: error });
  }
  const fix = code === 'EACCES' || code === 'EPERM' ? 'Give yourself read permission.' : 'Check the disk and the path.';
  return fault('CHECKPOINT_FILE_UNREADABLE', { what: `${path} cannot be read (${code})`, evidence: { path }, fix, cause: error });
}
