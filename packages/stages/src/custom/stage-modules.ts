/** Which files make the bytes of a custom stage: where the walk over its code begins. */
import { existsSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The code of the user: the module, and the package.json of an installed package, whose version stands for what cannot be followed.
 *
 * @param path absolute
 */
export function userModules(path: string): URL[] {
  const manifest = path.includes(`${sep}node_modules${sep}`) ? packageJsonAbove(dirname(path)) : undefined;
  return [path, ...(manifest === undefined ? [] : [manifest])].map((file) => pathToFileURL(file));
}

/** The code of the user, and ours that checks and publishes what it made. */
export function customModules(path: string): URL[] {
  return [...userModules(path), new URL('./stage.js', import.meta.url), new URL('../publish.js', import.meta.url)];
}

function packageJsonAbove(folder: string): string | undefined {
  const here = join(folder, 'package.json');
  if (existsSync(here)) return here;
  return dirname(folder) === folder ? undefined : packageJsonAbove(dirname(folder));
}
