/** Writes manifest.json of a container folder whose other files are in place. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File, writeFileAtomic } from '@tundish/store';
import { containerError } from './errors.js';
import { MANIFEST_FILE, MANIFEST_SCHEMA } from './manifest.js';
import type { FileDigest, Manifest, ManifestFacts } from './manifest.js';
import { parseManifest } from './manifest-schema.js';

/**
 * Adds the file table to the facts and checks all rules.
 *
 * @param files digests of all other files of the container by relative path
 * @throws TundishError CONTAINER_MANIFEST_INVALID
 */
export function composeManifest(facts: ManifestFacts, files: ReadonlyMap<string, FileDigest>): Manifest {
  const table = Object.fromEntries([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  const result = parseManifest({ schema: MANIFEST_SCHEMA, ...facts, files: table });
  if ('manifest' in result) return result.manifest;
  throw containerError('CONTAINER_MANIFEST_INVALID', {
    what: `the container of ${facts.model} would break ${result.issues.length} rule(s) of its manifest`,
    evidence: { detail: result.issues.slice(0, 8).map((i) => `${i.at}: ${i.message}`).join('; ') },
  });
}

/** Text of manifest.json: two-space indent, keys in the order of the schema, trailing newline; equal manifests give equal bytes. */
export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/**
 * Writes manifest.json atomically. Files in `folder` without a known digest are read once to get it.
 *
 * @param known digests that the caller has already, by path in the container; they are not computed again
 * @throws TundishError CONTAINER_MANIFEST_INVALID, for example when a part names a file that is not in the folder
 */
export async function writeContainerManifest(folder: string, facts: ManifestFacts, known: ReadonlyMap<string, FileDigest> = new Map()): Promise<Manifest> {
  const files = new Map<string, FileDigest>();
  for (const path of await filesBelow(folder)) {
    files.set(path, known.get(path) ?? (await digestOf(join(folder, path))));
  }
  const manifest = composeManifest(facts, files);
  await writeFileAtomic(join(folder, MANIFEST_FILE), manifestText(manifest));
  return manifest;
}

async function digestOf(path: string): Promise<FileDigest> {
  return { sha256: await sha256File(path), size: (await stat(path)).size };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return paths.map((path) => path.replaceAll('\\', '/')).filter((path) => path !== MANIFEST_FILE).sort();
}
