/** A file that many processes of one run write to, line by line: each line is one call that appends. */
import { closeSync, linkSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { diskError } from '@tundish/store';

/** Puts a file with `head` at `path`, in place of whatever is there. @throws STORE_* of a disk that refuses */
export function beginFile(path: string, head: string): void {
  guarded(path, () => withNewFile(path, head, (made) => renameSync(made, path)));
}

/** Appends to a file, which gets `head` first when it is not there yet. */
export class AppendFile {
  readonly #file: number;

  /** @throws STORE_* of a disk that refuses */
  constructor(path: string, head: string) {
    this.#file = guarded(path, () => {
      // A link appears complete or not at all: no other process can append before the head.
      withNewFile(path, head, (made) => ignoring('EEXIST', () => linkSync(made, path)));
      return openSync(path, 'a');
    });
  }

  /** One call, so that lines of several processes never mix. */
  append(line: string): void {
    writeSync(this.#file, line);
  }

  close(): void {
    closeSync(this.#file);
  }
}

function withNewFile(path: string, head: string, use: (made: string) => void): void {
  const made = `${path}.${randomUUID()}`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(made, head, { flag: 'wx' });
    use(made);
  } finally {
    rmSync(made, { force: true });
  }
}

function ignoring(code: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
  }
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, 'write the file for events', path);
  }
}
