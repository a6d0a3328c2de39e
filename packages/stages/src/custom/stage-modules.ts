/** Which modules make the bytes of a custom stage: where the walk over its code begins. */
import { pathToFileURL } from 'node:url';

/** The module of the user first, then ours that check and publish what it made. @param path absolute */
export function customModules(path: string): [URL, ...URL[]] {
  return [pathToFileURL(path), new URL('./stage.js', import.meta.url), new URL('../publish.js', import.meta.url)];
}
