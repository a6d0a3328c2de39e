/** The containers of a model: one, or one a chip in folders below. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Its name in @tundish/container, which is not loaded for it. */
const MANIFEST_FILE = 'manifest.json';

/** Absolute folders that have a manifest.json; none before the model was packed. @param folder of the layout */
export function containerFolders(folder: string): string[] {
  const has = (path: string): boolean => existsSync(join(path, MANIFEST_FILE));
  if (has(folder) || !existsSync(folder)) return has(folder) ? [folder] : [];
  return readdirSync(folder).sort().map((name) => join(folder, name)).filter(has);
}
