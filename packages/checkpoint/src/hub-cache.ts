/** The Hugging Face cache layout: `models--org--name/{refs,blobs,snapshots}`, snapshots made of symbolic links to blobs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from './read-file.js';
import { INDEX_NAME, readShardIndex } from './shard-index.js';

/** A model of the hub. */
export interface HubId {
  /** `org/name`. */
  readonly name: string;
  /** Branch, tag or commit; `main` when the user is silent. */
  readonly revision: string;
}

const COMMIT = /^[0-9a-f]{40}$/;

/** `org/name` with optional `@revision`; undefined when the text is something else. */
export function parseHubId(spec: string): HubId | undefined {
  const match = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?$/.exec(spec);
  const [, name, revision = 'main'] = match ?? [];
  return name === undefined || spec.includes('..') ? undefined : { name, revision };
}

export function repoFolder(cacheFolder: string, id: HubId): string {
  return join(cacheFolder, `models--${id.name.replace('/', '--')}`);
}

/** The snapshot of this revision if it is in the cache with all its weights. */
export async function findSnapshot(cacheFolder: string, id: HubId): Promise<{ readonly folder: string; readonly commit: string } | undefined> {
  const commit = COMMIT.test(id.revision) ? id.revision : await readRef(cacheFolder, id);
  if (commit === undefined) return undefined;
  const folder = join(repoFolder(cacheFolder, id), 'snapshots', commit);
  return (await isComplete(folder)) ? { folder, commit } : undefined;
}

async function readRef(cacheFolder: string, id: HubId): Promise<string | undefined> {
  const text = await readFile(join(repoFolder(cacheFolder, id), 'refs', id.revision), 'utf8').catch(() => '');
  return COMMIT.test(text.trim()) ? text.trim() : undefined;
}

/** Interrupted downloads leave snapshots with files missing, or links to blobs that are not there. */
async function isComplete(folder: string): Promise<boolean> {
  if (!(await exists(join(folder, 'config.json')))) return false;
  if (await exists(join(folder, 'model.safetensors'))) return true;
  if (!(await exists(join(folder, INDEX_NAME)))) return false;
  const { weightMap } = await readShardIndex(join(folder, INDEX_NAME));
  for (const shard of new Set(weightMap.values())) if (!(await exists(join(folder, shard)))) return false;
  return true;
}
