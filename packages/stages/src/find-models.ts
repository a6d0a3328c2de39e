/** The model projects of a workspace and what a person may call them: by folder, by name, with a target behind a colon. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { stageError } from './errors.js';
import { LOCK_FILE, RECIPE_FILE } from './layout.js';

export interface FoundModel {
  /** Folder relative to the workspace, with forward slashes: `models/llama32`. */
  readonly root: string;
  /** `name` of its project.json, else the folder's own name. */
  readonly name: string;
}

/** How deep below the workspace a model project may lie. */
const MAX_DEPTH = 4;
const SKIPPED = new Set(['node_modules', 'dist', 'out', 'artifacts']);

/** Folders with a recipe or a lock, at most four levels below the workspace, sorted by folder. */
export function findModels(workspaceRoot: string): FoundModel[] {
  const roots: string[] = [];
  const visit = (folder: string, depth: number): void => {
    const entries = entriesOf(join(workspaceRoot, folder));
    if (entries.some(({ name }) => name === RECIPE_FILE || name === LOCK_FILE)) roots.push(folder);
    if (depth === MAX_DEPTH) return;
    for (const entry of entries) {
      if (entry.isDirectory() && !SKIPPED.has(entry.name) && !entry.name.startsWith('.')) visit(folder === '' ? entry.name : `${folder}/${entry.name}`, depth + 1);
    }
  };
  visit('', 0);
  return roots.sort().map((root) => ({ root, name: nameOf(workspaceRoot, root) }));
}

/**
 * The model that a word means: a folder (`models/llama32`, absolute or relative to `from`) or a name (`llama32`).
 *
 * @throws STAGE_MODEL_UNKNOWN
 */
export function findModel(workspaceRoot: string, word: string, from: string = workspaceRoot): FoundModel {
  const folder = resolve(from, word);
  if (isModel(folder)) {
    const root = relative(workspaceRoot, folder).split(sep).join('/');
    return { root, name: nameOf(workspaceRoot, root) };
  }
  const models = findModels(workspaceRoot);
  const found = models.find(({ name, root }) => name === word || basename(root) === word);
  if (found !== undefined) return found;
  throw stageError('STAGE_MODEL_UNKNOWN', {
    what: `no model is called ${printable(word)}`,
    why: models.length === 0 ? 'the workspace has no folder with a recipe.yaml' : `the workspace has: ${models.map(({ name }) => name).join(', ')}`,
    evidence: { path: workspaceRoot },
    fix: 'give its name or its folder, or the workspace with --workspace',
  });
}

function isModel(folder: string): boolean {
  return existsSync(join(folder, RECIPE_FILE)) || existsSync(join(folder, LOCK_FILE));
}

function entriesOf(folder: string): { readonly name: string; isDirectory(): boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // A folder that cannot be listed holds no model for this user.
    return [];
  }
}

/** Nx reports a broken project.json by itself; here it only means that the folder's name counts. */
function nameOf(workspaceRoot: string, root: string): string {
  try {
    const { name } = JSON.parse(readFileSync(join(workspaceRoot, root, 'project.json'), 'utf8')) as { readonly name?: unknown };
    if (typeof name === 'string' && name !== '') return name;
  } catch {
    // See above.
  }
  return basename(root === '' ? workspaceRoot : root);
}
