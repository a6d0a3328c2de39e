/** Opens a container folder: the manifest is validated and every file is there with its size. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { sha256File } from '@tundish/store';
import { containerError } from './errors.js';
import { MANIFEST_FILE, MANIFEST_SCHEMA } from './manifest.js';
import type { Manifest } from './manifest.js';
import { parseManifest } from './manifest-schema.js';

export interface Container {
  /** Absolute path. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/**
 * Reads and checks a container; digests are not computed (`verifyContainer` does).
 *
 * @throws TundishError CONTAINER_NOT_FOUND, CONTAINER_SCHEMA_UNKNOWN, CONTAINER_MANIFEST_INVALID, CONTAINER_FILE_MISSING, CONTAINER_FILE_SIZE
 */
export async function readContainer(folder: string): Promise<Container> {
  const root = resolve(folder);
  const manifest = await readContainerManifest(join(root, MANIFEST_FILE));
  for (const [name, expected] of Object.entries(manifest.files)) {
    const found = await sizeOf(join(root, name));
    if (found === expected.size) continue;
    const facts = { evidence: { path: join(root, name) }, fix: 'build or copy the container again' };
    if (found === undefined) throw containerError('CONTAINER_FILE_MISSING', { what: `the container lacks ${printable(name)}`, ...facts });
    throw containerError('CONTAINER_FILE_SIZE', { what: `${printable(name)} has ${found} bytes where the manifest says ${expected.size}`, ...facts });
  }
  return { folder: root, manifest };
}

/**
 * Reads and checks a manifest.json alone, whatever lies beside it.
 *
 * @throws TundishError CONTAINER_NOT_FOUND, CONTAINER_SCHEMA_UNKNOWN, CONTAINER_MANIFEST_INVALID
 */
export async function readContainerManifest(path: string): Promise<Manifest> {
  return validate(await readJson(path, dirname(path)), path);
}

/**
 * Reads every byte of the container and compares digests.
 *
 * @throws TundishError CONTAINER_FILE_DIGEST naming the first file that differs
 */
export async function verifyContainer(container: Container): Promise<void> {
  for (const [name, expected] of Object.entries(container.manifest.files)) {
    const path = join(container.folder, name);
    const found = await sha256File(path);
    if (found === expected.sha256) continue;
    throw containerError('CONTAINER_FILE_DIGEST', {
      what: `${printable(name)} was changed after the container was made`,
      why: `its SHA-256 is ${found}, the manifest says ${expected.sha256}`,
      evidence: { path },
      fix: 'build or copy the container again',
    });
  }
}

/** Absolute paths of the files of one part by the name that the toolchain gave them: `OpenRequest.files`. */
export function partFiles(container: Container, part: number): ReadonlyMap<string, string> {
  const files = container.manifest.parts[part - 1]?.files ?? [];
  return new Map(files.map((file) => [file.name, join(container.folder, file.path)]));
}

async function readJson(path: string, folder: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw containerError('CONTAINER_NOT_FOUND', {
      what: `${printable(folder)} is not a container`,
      why: `${MANIFEST_FILE} cannot be read there`,
      evidence: { path },
      fix: 'give the folder that the package stage made; the summary of `nx run MODEL:compile` prints it',
      cause,
    });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw containerError('CONTAINER_MANIFEST_INVALID', { what: `${MANIFEST_FILE} is not JSON`, evidence: { path, detail: printable(String(cause)) }, cause });
  }
}

function validate(data: unknown, path: string): Manifest {
  const schema = typeof data === 'object' && data !== null && 'schema' in data ? data.schema : undefined;
  if (typeof schema === 'number' && schema !== MANIFEST_SCHEMA) {
    throw containerError('CONTAINER_SCHEMA_UNKNOWN', {
      what: `${MANIFEST_FILE} has schema ${schema}; this release reads schema ${MANIFEST_SCHEMA}`,
      evidence: { path },
      fix: 'use the release that made the container, or build it again with this one',
    });
  }
  const result = parseManifest(data);
  if ('manifest' in result) return result.manifest;
  throw containerError('CONTAINER_MANIFEST_INVALID', {
    what: `${MANIFEST_FILE} breaks ${result.issues.length} rule(s) of its schema`,
    evidence: { path, detail: result.issues.slice(0, 8).map((i) => `${i.at}: ${i.message}`).join('; ') },
    fix: 'build the container again',
  });
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch {
    return undefined;
  }
}
