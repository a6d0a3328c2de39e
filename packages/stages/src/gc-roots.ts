/** What the models of a workspace need of the store: their stage manifests, their containers, their imports. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, printable } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { type GcRoots, manifestRefs, sha256 } from '@tundish/store/gc';
import { containerFolders } from './container-folders.js';
import { stageError } from './errors.js';
import { findModels } from './find-models.js';
import { importName } from './import-name.js';
import { modelLayout } from './layout.js';

/**
 * Roots of all models in the workspaces.
 *
 * @throws STAGE_ROOT_UNREADABLE for a manifest or a lock that cannot be read: what it needs would be lost
 */
export function gcRoots(workspaceRoots: readonly string[]): GcRoots {
  const roots = { manifests: new Set<string>(), blobs: new Set<string>(), imports: new Set<string>() };
  for (const workspace of workspaceRoots) {
    for (const { root } of findModels(workspace)) {
      const layout = modelLayout(workspace, root);
      for (const path of filesNamed(join(layout.root, 'out'), 'stage.json')) addManifest(path, roots);
      for (const container of containerFolders(layout.container)) readRoot(join(container, 'manifest.json'), (bytes) => addContainer(bytes, roots));
      readRoot(layout.lock, (bytes) => addImport(JSON.parse(bytes.toString('utf8')) as Lock, roots));
    }
  }
  return roots;
}

type Roots = { readonly [Name in keyof GcRoots]: Set<string> };

function addManifest(path: string, roots: Roots): void {
  readRoot(path, (bytes) => {
    for (const ref of manifestRefs(JSON.parse(bytes.toString('utf8')))) roots.blobs.add(ref.sha256);
    roots.manifests.add(sha256(bytes));
  });
}

/** The container's files, and the stage results that it was made from. */
function addContainer(bytes: Buffer, roots: Roots): void {
  const { files, provenance } = JSON.parse(bytes.toString('utf8')) as { readonly files: Readonly<Record<string, { readonly sha256: string }>>; readonly provenance: Readonly<Record<string, string>> };
  for (const file of Object.values(files)) roots.blobs.add(file.sha256);
  for (const digest of Object.values(provenance)) roots.manifests.add(digest);
  roots.blobs.add(sha256(bytes));
}

function addImport({ source }: Pick<Lock, 'source'>, roots: Roots): void {
  if (source.kind === 'gguf') roots.imports.add(importName({ gguf: source.file.sha256, importer: source.importer, options: source.import }));
}

function readRoot(path: string, add: (bytes: Buffer) => void): void {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw unreadable(path, error);
  }
  try {
    add(bytes);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): Error {
  return stageError('STAGE_ROOT_UNREADABLE', { what: 'a file that says what a model needs cannot be read', why: printable(messageOf(cause)), evidence: { path }, fix: 'build the model again, or delete the file: what only it needs is then removed', cause });
}

function filesNamed(folder: string, name: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name === name).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unreadable(folder, error);
  }
}
