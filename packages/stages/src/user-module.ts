/** Loads a module that a recipe names: TypeScript or JavaScript, a file or a package. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The exports of a module. Nothing is kept on disk, and a file that changed is read again.
 *
 * @param path `./file.ts` or a package name, as an import in a file of `from` would write it
 * @param from absolute folder
 * @throws whatever loading it throws
 */
export async function loadUserModule(path: string, from: string): Promise<Readonly<Record<string, unknown>>> {
  const { createJiti } = await import('jiti');
  const jiti = createJiti(pathToFileURL(join(from, 'recipe.yaml')).href, { fsCache: false, moduleCache: false, interopDefault: false });
  return jiti.import(path);
}
