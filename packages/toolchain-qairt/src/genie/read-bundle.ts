/** Reads a bundle from its folder, so that the lint can look at it. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { printable } from '@tundish/diagnostics';
import type { Bundle, BundleBinary } from './bundle.js';
import { GENIE_CONFIG_FILE } from './bundle.js';
import { bundleError } from './errors.js';
import { parseJson } from './parse-json.js';
import { readConfigValues } from './read-config.js';

/** Configurations are a few kilobytes; more is something else. */
const LARGEST_TEXT = 1_000_000;

/**
 * Reads sizes and the two configurations, and has the context binaries inspected one after the other. Nothing outside of the folder is read.
 *
 * @param inspect reads one context binary (absolute path); its errors pass through
 * @throws TundishError GENIE_BUNDLE_NOT_FOUND
 */
export async function readBundle(folder: string, inspect: (path: string) => Promise<BundleBinary>): Promise<Bundle> {
  const files = await sizesBelow(folder);
  const texts = new Map<string, string>();
  const load = async (name: string | undefined): Promise<void> => {
    if (name !== undefined && (files.get(name) ?? Infinity) <= LARGEST_TEXT) texts.set(name, await readFile(join(folder, name), 'utf8'));
  };
  await load(GENIE_CONFIG_FILE);
  if (!texts.has(GENIE_CONFIG_FILE)) throw bundleError('GENIE_BUNDLE_NOT_FOUND', { what: `${printable(folder)} is not a bundle`, why: `it has no ${GENIE_CONFIG_FILE} of at most ${LARGEST_TEXT} bytes`, evidence: { path: folder } });
  const values = readConfigValues(parseJson(texts.get(GENIE_CONFIG_FILE)));
  await load(values.extensions);
  const binaries = new Map<string, BundleBinary>();
  for (const file of values.contextBinaries) {
    if (files.has(file) && !binaries.has(file)) binaries.set(file, await inspect(join(folder, file)));
  }
  return { files, texts, binaries };
}

async function sizesBelow(folder: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    sizes.set(relative(folder, path).split(sep).join('/'), (await stat(path)).size);
  }
  return sizes;
}
