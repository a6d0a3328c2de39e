/** Finds the checkpoint folder that a recipe or a lock names: as it lies, from the hub, or imported from a GGUF file. */
import { resolve } from 'node:path';
import { locateCheckpoint } from '@tundish/checkpoint/locate';
import { type Reporter, silentReporter } from '@tundish/diagnostics';
import type { CheckpointReference, ImportOptions } from '@tundish/recipe/lock';
import type { BlobRef } from '@tundish/store';
import { importedCheckpoint } from './import-source.js';

export interface LocateSourceOptions {
  /** What relative paths are relative to. */
  readonly baseFolder: string;
  readonly cacheRoot: string;
  readonly hubCache: string;
  readonly hub?: { readonly token?: string; readonly offline?: boolean };
  readonly reporter?: Reporter;
  readonly signal?: AbortSignal;
  /** Imports no GGUF file that has not been imported. */
  readonly readOnly?: boolean;
}

export interface LocatedSource {
  /** Absolute; a checkpoint in the form of Hugging Face. */
  readonly folder: string;
  /** Of a checkpoint of the hub. */
  readonly commit?: string;
  /** The GGUF file that was imported. */
  readonly file?: BlobRef;
}

/** What a lock pins, or a recipe names: only a GGUF file is imported. */
export type SourceReference = Exclude<CheckpointReference, { kind: 'gguf' }> | { readonly kind: 'gguf'; readonly location: string; readonly import: ImportOptions };

/**
 * @param options.reporter hears of downloads and imports
 * @throws CHECKPOINT_FOLDER_NOT_FOUND, CHECKPOINT_FILE_NOT_FOUND, HUB_*, GGUF_*
 */
export async function locateSource(reference: SourceReference, options: LocateSourceOptions): Promise<LocatedSource> {
  const { baseFolder, cacheRoot, hubCache, hub, reporter = silentReporter } = options;
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  if (reference.kind === 'gguf') return importedCheckpoint({ path: resolve(baseFolder, reference.location), importing: reference.import, cacheRoot, reporter, readOnly: options.readOnly === true, ...signal });
  const spec = reference.kind === 'hub' && reference.revision !== undefined ? `${reference.location}@${reference.revision}` : reference.location;
  return locateCheckpoint(spec, { baseFolder, cacheFolder: hubCache, reporter, ...hub, ...signal });
}
