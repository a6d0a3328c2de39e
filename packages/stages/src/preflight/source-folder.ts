/** Where the checkpoint of a lock lies, found without reading it, downloading it or importing it. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { locateCheckpoint } from '@tundish/checkpoint/locate';
import { silentReporter } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { importName } from '../import-name.js';
import type { ModelLayout } from '../layout.js';

/** Absolute; undefined when it is not on this machine. */
export async function sourceFolder({ lock: { source }, layout, cacheRoot, hubCache }: { readonly lock: Lock; readonly layout: ModelLayout; readonly cacheRoot: string; readonly hubCache: string }): Promise<string | undefined> {
  const folder = await candidate();
  return folder !== undefined && Object.keys(source.files).every((file) => existsSync(join(folder, file))) ? folder : undefined;

  async function candidate(): Promise<string | undefined> {
    if (source.kind === 'folder') return resolve(layout.root, source.location);
    if (source.kind === 'gguf') return join(cacheRoot, 'imports', importName({ gguf: source.file.sha256, importer: source.importer, options: source.import }));
    const located = locateCheckpoint(`${source.location}@${source.revision}`, { baseFolder: layout.root, cacheFolder: hubCache, reporter: silentReporter, offline: true });
    return located.then((found) => found.folder, () => undefined);
  }
}
