/** attach: takes intermediates that were made elsewhere into the cache of a model, so that a build goes on from them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { formatBytes, printable, textTable } from '@tundish/diagnostics';
import { type AttachedEntry, attachEntry } from '@tundish/stages/pipeline';
import { findModel } from '@tundish/stages/workspace';
import { INFO_FILE } from '@tundish/store';
import { cacheRootOf } from '../environment.js';
import { cliError } from '../errors.js';
import { type Io, ioReporter } from '../io.js';

export interface AttachOptions {
  /** Entries, or folders of entries. */
  readonly folders: readonly string[];
  /** Name or folder of the model that is to have them; else the one that the folder of the entries is named after. */
  readonly model?: string;
  readonly workspaceRoot: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** @throws CLI_ATTACH_EMPTY, STAGE_MODEL_UNKNOWN, and the errors of `attachEntry`; entries before a damaged one stay attached */
export async function attachCommand({ folders, model, workspaceRoot, json, signal }: AttachOptions, io: Io): Promise<void> {
  const cacheRoot = cacheRootOf(workspaceRoot);
  // All words are understood before the first is acted on.
  const found = folders.flatMap((word) => entriesIn(resolve(word))).map((entry) => ({ entry, model: basename(findModel(workspaceRoot, model ?? basename(dirname(entry))).root) }));
  const reporter = ioReporter(io);
  const attached: AttachedEntry[] = [];
  try {
    for (const one of found) attached.push(await attachEntry({ ...one, cacheRoot, reporter, signal }));
  } finally {
    reporter.close();
  }
  io.out(json ? `${JSON.stringify(attached, null, 2)}\n` : describe(attached));
}

/** The folder itself when it is an entry, else the entries in it. */
function entriesIn(folder: string): string[] {
  const isEntry = (path: string): boolean => existsSync(join(path, INFO_FILE));
  if (isEntry(folder)) return [folder];
  const inside = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder).sort().map((name) => join(folder, name)).filter(isEntry) : [];
  if (inside.length > 0) return inside;
  throw cliError('CLI_ATTACH_EMPTY', { what: `${printable(folder)} holds no cache entry`, why: `an entry is a folder with a ${INFO_FILE}`, evidence: { path: folder }, fix: 'name the folder of an entry, CACHE_ROOT/MODEL/STAGE_KEY, or that of a model, CACHE_ROOT/MODEL' });
}

function describe(attached: readonly AttachedEntry[]): string {
  const rows = attached.map(({ unit, status, files, bytes, entry }) => [printable(unit), status === 'attached' ? 'attached' : 'was here', String(files), formatBytes(bytes), entry]);
  return `${textTable(['result', '', 'files', 'size', 'entry'], rows, [false, false, true, true]).join('\n')}\n`;
}
