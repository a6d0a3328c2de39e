/** Finds the checkpoint that a recipe names: a folder, a snapshot of the hub cache, or a download into it. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { printable, silentReporter } from '@tundish/diagnostics';
import type { Reporter } from '@tundish/diagnostics';
import { fault } from './errors.js';
import { findSnapshot, parseHubId, repoFolder } from './hub-cache.js';

export interface LocateOptions {
  /** What relative folders are relative to. */
  readonly baseFolder: string;
  /** The hub cache, which surfaces take from HF_HUB_CACHE or HF_HOME. */
  readonly cacheFolder: string;
  readonly token?: string;
  readonly offline?: boolean;
  /** Base URL of a hub other than the public one. */
  readonly endpoint?: string;
  readonly reporter?: Reporter;
  readonly signal?: AbortSignal;
}

export interface LocatedCheckpoint {
  /** Absolute. */
  readonly folder: string;
  readonly kind: 'folder' | 'hub';
  /** `org/name` of a hub checkpoint. */
  readonly id?: string;
  /** Commit of a hub checkpoint: pin this, branches move. */
  readonly commit?: string;
}

/**
 * A folder that exists wins over a hub id of the same spelling; the cache wins over the network.
 *
 * @param spec a folder, or `org/name` with optional `@revision`
 * @throws TundishError CHECKPOINT_FOLDER_NOT_FOUND, HUB_ID_INVALID, HUB_OFFLINE, HUB_DOWNLOAD_FAILED
 */
export async function locateCheckpoint(spec: string, options: LocateOptions): Promise<LocatedCheckpoint> {
  const folder = resolve(options.baseFolder, spec);
  if ((await stat(folder).catch(() => undefined))?.isDirectory() === true) return { folder, kind: 'folder' };
  const id = parseHubId(spec);
  if (id === undefined) throw notFound(spec, folder);
  const cached = await findSnapshot(options.cacheFolder, id);
  if (cached !== undefined) return { ...cached, kind: 'hub', id: id.name };
  if (options.offline === true) {
    const revision = id.revision === 'main' ? '' : ` --revision ${id.revision}`;
    throw fault('HUB_OFFLINE', {
      what: `${id.name}@${id.revision} is not in the hub cache, and the network may not be used`,
      why: `Neither a complete snapshot under ${repoFolder(options.cacheFolder, id)} nor a folder ${folder} is there.`,
      evidence: { path: repoFolder(options.cacheFolder, id) },
      fix: `With a network run: hf download ${id.name}${revision} --cache-dir ${options.cacheFolder}; or unset HF_HUB_OFFLINE.`,
    });
  }
  const { cacheFolder, token, endpoint, signal, reporter = silentReporter } = options;
  const { downloadSnapshot } = await import('./hub-download.js');
  const loaded = await downloadSnapshot(id, {
    cacheFolder,
    reporter,
    ...(token === undefined ? {} : { token }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { ...loaded, kind: 'hub', id: id.name };
}

function notFound(spec: string, folder: string): Error {
  if (/^\.{0,2}[/\\]|^\.{1,2}$|^[^/\\@]+$/.test(spec)) {
    return fault('CHECKPOINT_FOLDER_NOT_FOUND', { what: `checkpoint folder ${printable(folder)} not found`, evidence: { path: folder }, fix: 'Correct `checkpoint` in recipe.yaml.' });
  }
  return fault('HUB_ID_INVALID', {
    what: `checkpoint ${printable(spec)} is neither a folder nor a hub id`,
    evidence: { path: folder },
    fix: 'Give a folder, or org/name with optional @revision.',
  });
}
