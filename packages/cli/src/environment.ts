/** What the environment may say: the only place of this package that reads it. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Terminal, printable } from '@tundish/diagnostics';
import type { LibraryPlaces } from '@tundish/toolchain-qairt/toolchain';
import type { WatchWords } from './build/build-watch.js';
import { cliError } from './errors.js';

/** Root of the store and the action cache. TUNDISH_CACHE_ROOT moves it out of the workspace. */
export function cacheRootOf(workspaceRoot: string): string {
  const moved = process.env['TUNDISH_CACHE_ROOT'];
  return moved === undefined || moved === '' ? join(workspaceRoot, '.tundish', 'cache') : resolve(workspaceRoot, moved);
}

/** The folder in which Hugging Face tools keep checkpoints: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
export function hubCacheOf(): string {
  const { HF_HUB_CACHE: cache, HF_HOME: home } = process.env;
  if (cache !== undefined && cache !== '') return cache;
  return join(home !== undefined && home !== '' ? home : join(homedir(), '.cache', 'huggingface'), 'hub');
}

/** Access to the hub: HF_TOKEN and HF_HUB_OFFLINE. */
export function hubAccess(): { readonly token?: string; readonly offline: boolean } {
  const { HF_TOKEN: token, HF_HUB_OFFLINE: offline } = process.env;
  return { offline: offline === '1' || offline === 'true', ...(token === undefined || token === '' ? {} : { token }) };
}

/** Where the vendor's libraries may be: QAIRT_LIB_DIR, QAIRT_SDK_ROOT, QNN_SDK_ROOT, else what is installed in XDG_CACHE_HOME/tundish/qairt or ~/.cache/tundish/qairt. */
export function qairtPlaces(): LibraryPlaces {
  const cache = process.env['XDG_CACHE_HOME'];
  const variables = { QAIRT_LIB_DIR: process.env['QAIRT_LIB_DIR'], QAIRT_SDK_ROOT: process.env['QAIRT_SDK_ROOT'], QNN_SDK_ROOT: process.env['QNN_SDK_ROOT'] };
  const named = Object.entries(variables).flatMap(([variable, folder]) => (folder === undefined || folder === '' ? [] : [{ variable, folder: resolve(folder), isSdk: variable !== 'QAIRT_LIB_DIR' }]));
  return { named, installed: join(cache !== undefined && cache !== '' ? cache : join(homedir(), '.cache'), 'tundish', 'qairt') };
}

/** Where the events of a build go and how much memory it may have, unless options say: TUNDISH_TRACE, TUNDISH_EVENTS, TUNDISH_MAX_MEMORY. */
export function watchWordsOf(): WatchWords {
  const { TUNDISH_TRACE: trace, TUNDISH_EVENTS: events, TUNDISH_MAX_MEMORY: maxMemory } = process.env;
  return { trace, events, maxMemory };
}

/** The remote cache of this machine: where it is, the token of an HTTP server, and whether results are sent too. */
export interface RemoteCacheWords {
  readonly address: string;
  readonly token?: string;
  readonly mode: 'read' | 'read-write';
}

/** TUNDISH_REMOTE_CACHE, _TOKEN and _MODE; undefined without an address. @throws CLI_USAGE */
export function remoteCacheWordsOf(): RemoteCacheWords | undefined {
  const { TUNDISH_REMOTE_CACHE: address = '', TUNDISH_REMOTE_CACHE_TOKEN: token = '', TUNDISH_REMOTE_CACHE_MODE: given = '' } = process.env;
  if (address === '') return undefined;
  const mode = given === '' ? 'read-write' : given;
  if (mode !== 'read' && mode !== 'read-write') throw cliError('CLI_USAGE', { what: `TUNDISH_REMOTE_CACHE_MODE is ${printable(given)}`, fix: 'set it to read or read-write, or leave it out' });
  return { address, mode, ...(token === '' ? {} : { token }) };
}

/** The terminal behind a stream; undefined for a pipe, a file and TERM=dumb. Colour needs NO_COLOR unset, and FORCE_COLOR or TERM that allow it. */
export function terminalOf(stream: NodeJS.WriteStream): Terminal | undefined {
  const { TERM: term } = process.env;
  if (!stream.isTTY || term === 'dumb') return undefined;
  return {
    get columns() {
      return stream.columns > 0 ? stream.columns : 80;
    },
    color: coloursWanted() && stream.hasColors(),
  };
}

/** False when NO_COLOR is set to anything (no-color.org). */
export function coloursWanted(): boolean {
  return (process.env['NO_COLOR'] ?? '') === '';
}
