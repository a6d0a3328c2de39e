/** What a build may be asked beside its recipe: where its events go, and how much memory it may have. Nothing of it is in a key. */
import { resolve } from 'node:path';
import { parseByteCount, printable } from '@tundish/diagnostics';
import { cliError } from '../errors.js';

/** As written in options or in the environment. */
export interface WatchWords {
  readonly trace?: string | undefined;
  readonly events?: string | undefined;
  readonly maxMemory?: string | undefined;
}

export interface BuildWatch {
  /** Absolute path of the trace. */
  readonly trace?: string;
  /** Absolute path of the JSON lines, or `-` for stderr. */
  readonly events?: string;
  /** Bytes. */
  readonly maxMemory?: number;
}

/** @param folder that relative paths are relative to @throws CLI_USAGE */
export function buildWatch({ trace, events, maxMemory }: WatchWords, folder: string): BuildWatch {
  return {
    ...(trace === undefined || trace === '' ? {} : { trace: resolve(folder, trace) }),
    ...(events === undefined || events === '' ? {} : { events: events === '-' ? '-' : resolve(folder, events) }),
    ...(maxMemory === undefined || maxMemory === '' ? {} : { maxMemory: memoryOf(maxMemory) }),
  };
}

function memoryOf(text: string): number {
  const bytes = parseByteCount(text);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw cliError('CLI_USAGE', { what: `${printable(text)} is no amount of memory`, fix: 'write a size above 0, as 6GB or 512MiB' });
}
