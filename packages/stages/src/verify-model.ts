/** Everything that the manifests of one model reach: blobs, cache entries, files of the checkpoint, the container. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf } from '@tundish/diagnostics';
import type { Lock, LockSource } from '@tundish/recipe/lock';
import { parseLock } from '@tundish/recipe/parse-lock';
import { type BlobRef, type Damage, type EntryFolder, type FileCheck, type StageManifest, entryFolders, manifestDigest, readManifest, readSidecar } from '@tundish/store';
import { containerFolders } from './container-folders.js';
import { importName } from './import-name.js';
import { type ModelLayout, modelLayout } from './layout.js';

export interface ReachRequest {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  readonly cacheRoot: string;
  readonly hubCache: string;
}

/** What `verifyEntries` takes. */
export interface Reach {
  readonly entries: readonly EntryFolder[];
  readonly blobs: readonly BlobRef[];
  readonly files: readonly FileCheck[];
  /** Manifests that cannot be read. */
  readonly damage: readonly Damage[];
}

/** @throws RECIPE_LOCK_* when the lock is there and damaged */
export async function reachOf({ workspaceRoot, modelRoot, cacheRoot, hubCache }: ReachRequest): Promise<Reach> {
  const layout = modelLayout(workspaceRoot, modelRoot);
  const { manifests, damage } = manifestsBelow(layout);
  const digests = new Set(manifests.map(manifestDigest));
  const lock = existsSync(layout.lock) ? parseLock(readFileSync(layout.lock), layout.lock) : undefined;
  const checkpoint = lock === undefined ? [] : await checkpointChecks(lock, layout, cacheRoot, hubCache);
  // Files of the checkpoint are no blobs: graphs refer to them where they lie.
  const pinned = new Set(Object.values(lock?.source.files ?? {}).map(({ sha256 }) => sha256));
  const containers = await Promise.all(containerFolders(layout.container).map(containerChecks));
  return {
    entries: entryFolders(cacheRoot, layout.model).filter(({ path }) => digests.has(manifestOf(path) ?? '')),
    blobs: manifests.flatMap(({ outputs, externals }) => [...outputs, ...externals.filter(({ sha256 }) => !pinned.has(sha256))]),
    files: [...checkpoint, ...containers.flatMap(({ files }) => files)],
    damage: [...damage, ...containers.flatMap((container) => container.damage)],
  };
}

function manifestsBelow({ root }: ModelLayout): { readonly manifests: StageManifest[]; readonly damage: Damage[] } {
  const [manifests, damage]: [StageManifest[], Damage[]] = [[], []];
  const out = join(root, 'out');
  const names = existsSync(out) ? (readdirSync(out, { recursive: true }) as string[]).filter((name) => name.endsWith('stage.json')).sort() : [];
  for (const name of names) {
    try {
      manifests.push(readManifest(join(out, name)));
    } catch (error) {
      damage.push({ path: join(out, name), what: firstLine(error), fix: 'delete it and run its stage again' });
    }
  }
  return { manifests, damage };
}

function manifestOf(entry: string): string | undefined {
  try {
    return readSidecar(entry).manifest;
  } catch {
    // Nobody knows whose it is; a verification of the whole store reports it.
    return undefined;
  }
}

async function checkpointChecks({ source }: Lock, layout: ModelLayout, cacheRoot: string, hubCache: string): Promise<FileCheck[]> {
  const folder = await checkpointFolder(source, layout, cacheRoot, hubCache);
  const fix = source.kind === 'folder' ? 'restore the file, or write the lock again: npx nx g @tundish/nx:lock' : `delete ${folder}: the next build ${source.kind === 'hub' ? 'downloads' : 'imports'} it again`;
  const gguf: FileCheck[] = source.kind === 'gguf' ? [{ ...source.file, path: resolve(layout.root, source.location), of: 'the GGUF file', fix: 'restore the file, or write the lock again: npx nx g @tundish/nx:lock' }] : [];
  return [...gguf, ...Object.entries(source.files).map(([name, ref]) => ({ ...ref, path: join(folder, name), of: `${name} of the checkpoint`, fix }))];
}

/** Where the checkpoint would be; nothing is downloaded or imported. */
async function checkpointFolder(source: LockSource, layout: ModelLayout, cacheRoot: string, hubCache: string): Promise<string> {
  if (source.kind === 'folder') return resolve(layout.root, source.location);
  if (source.kind === 'gguf') return join(cacheRoot, 'imports', importName({ gguf: source.file.sha256, importer: source.importer, options: source.import }));
  const { locateSource } = await import('./locate-source.js');
  const located = await locateSource(source, { baseFolder: layout.root, cacheRoot, hubCache, hub: { offline: true } }).catch(() => undefined);
  return located?.folder ?? join(hubCache, source.location);
}

async function containerChecks(container: string): Promise<Pick<Reach, 'files' | 'damage'>> {
  const path = join(container, 'manifest.json');
  const fix = `delete the folder ${container}: the next build puts it there again`;
  try {
    const { readContainerManifest } = await import('@tundish/container');
    const { files } = await readContainerManifest(path);
    return { files: Object.entries(files).map(([name, ref]) => ({ ...ref, path: join(container, name), of: `${name} of the container`, fix })), damage: [] };
  } catch (error) {
    return { files: [], damage: [{ path, what: firstLine(error), fix }] };
  }
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] ?? '';
}
