/** Puts the container of a packaged model where people look for it: hard links into the store, rebuilt on demand. */
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type StageManifest, type Store, makeFolder, openStore, placeFolder, readManifest, removeAbandoned, sha256File, uniqueSuffix } from '@tundish/store';
import { modelLayout } from './layout.js';

export interface MaterializeRequest {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  readonly cacheRoot: string;
}

export interface MaterializedContainer {
  /** Absolute path. */
  readonly folder: string;
  /** Bytes of all files. */
  readonly bytes: number;
}

/**
 * Makes `artifacts/container` hold exactly the files of the package stage. A container that does already is left alone.
 *
 * @throws STORE_MANIFEST_READ before `package` has run, STORE_BLOB_MISSING when the store lost a file
 */
export async function materializeContainer(request: MaterializeRequest): Promise<MaterializedContainer> {
  const layout = modelLayout(request.workspaceRoot, request.modelRoot);
  return placeContainer(readManifest(layout.manifest('package', null)), openStore(request.cacheRoot), layout.container);
}

/** Makes a folder hold exactly the files of a result of the package stage. @throws STORE_BLOB_MISSING */
export async function placeContainer(manifest: StageManifest, store: Store, folder: string): Promise<MaterializedContainer> {
  const bytes = manifest.outputs.reduce((sum, { size }) => sum + size, 0);
  if (await isCurrent(folder, manifest, store)) return { folder, bytes };
  const parent = dirname(folder);
  await makeFolder(parent);
  await removeAbandoned(parent, `${basename(folder)}.`);
  const scratch = `${folder}.${uniqueSuffix()}`;
  try {
    const built = join(scratch, 'built');
    for (const output of manifest.outputs) await store.link(output, join(built, output.name));
    await placeFolder(built, folder, scratch, async () => ((await isCurrent(folder, manifest, store)) ? true : undefined));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { folder, bytes };
}

/** Every file is there and is the very blob (across file systems: has its size; without the blob: its digest), and nothing else is there. */
async function isCurrent(folder: string, manifest: StageManifest, store: Store): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  if (entries.filter((entry) => !entry.isDirectory()).length !== manifest.outputs.length) return false;
  for (const output of manifest.outputs) {
    const found = await stat(join(folder, output.name)).catch(() => undefined);
    if (found === undefined || found.size !== output.size) return false;
    if (!store.has(output)) {
      if ((await sha256File(join(folder, output.name))) !== output.sha256) return false;
      continue;
    }
    const blob = await stat(store.pathOf(output));
    if (blob.dev === found.dev && blob.ino !== found.ino) return false;
  }
  return true;
}
