/** Events as JSON lines, one an event: docs/observers.md describes the fields. */
import { AppendFile, beginFile } from './append-file.js';
import type { Observer } from './event.js';

/** To any sink: a line ends with a line feed. */
export function eventLines(write: (line: string) => void): Observer {
  return { name: 'event lines', on: (event) => write(`${JSON.stringify(event)}\n`) };
}

/** Empties the file for a new run. */
export function beginEventFile(path: string): void {
  beginFile(path, '');
}

/** Appends to the file of the run. @throws STORE_* of a disk that refuses */
export function eventFile(path: string): Observer {
  const file = new AppendFile(path, '');
  return { ...eventLines((line) => file.append(line)), name: path, close: () => file.close() };
}
