/** Generator `model`: a new model project that builds at once. */
import { existsSync, rmSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { readNxJson } from '@nx/devkit';
import type { GeneratorCallback, Tree } from '@nx/devkit';
import { printable } from '@tundish/diagnostics';
import { encodeLock } from '@tundish/recipe/lock';
import { writeFileAtomic } from '@tundish/store';
import { nxError } from '../../errors.js';
import { resolveModel } from '../../lock/resolve-model.js';
import { LOCK_FILE, RECIPE_FILE } from '../../model-folders.js';
import { modelsGlobOf, optionsFromNxJson } from '../../plugin-options.js';
import { recipeText } from './recipe-template.js';
import type { RecipeChoices } from './recipe-template.js';

export interface ModelGeneratorOptions {
  readonly name: string;
  readonly checkpoint: string;
  readonly calibration?: string;
}

/**
 * Writes project.json and recipe.yaml; the lock follows when they are on disk, since it pins the checkpoint's bytes.
 *
 * @throws NX_OPTION, NX_MODEL_EXISTS, NX_CHECKPOINT_NOT_FOUND; from the callback: the fault of the checkpoint, with the new folder removed again
 */
export default function modelGenerator(tree: Tree, options: ModelGeneratorOptions): GeneratorCallback {
  const root = newModelRoot(tree, options.name);
  const checkpoint = findCheckpoint(tree.root, options.checkpoint);
  const choices: RecipeChoices = {
    checkpoint: checkpoint.kind === 'hub' ? checkpoint.id : pathFrom(tree.root, root, checkpoint.path),
    calibration: calibrationChoice(tree.root, root, options.calibration, checkpoint),
  };
  tree.write(`${root}/project.json`, `${JSON.stringify({ name: options.name, projectType: 'application' }, null, 2)}\n`);
  tree.write(`${root}/${RECIPE_FILE}`, recipeText(choices));
  return async () => {
    const { lock, problem } = await resolveModel(tree.root, { root, name: options.name }, true);
    if (problem !== undefined) {
      rmSync(join(tree.root, root), { recursive: true });
      throw problem;
    }
    await writeFileAtomic(join(tree.root, root, LOCK_FILE), encodeLock(lock));
    console.log(`\n${root} is ready. Build it: npx nx run ${options.name}:compile`);
  };
}

function newModelRoot(tree: Tree, name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name)) {
    throw nxError('NX_OPTION', { what: `${printable(name)} cannot be the name of a model`, why: 'it names a project, a folder and cache entries', fix: 'use letters, digits, - and _' });
  }
  const glob = modelsGlobOf(optionsFromNxJson(readNxJson(tree) ?? {}));
  const root = dirname(glob).replace(/\*(?!.*\*)/, name);
  if (root.includes('*')) {
    throw nxError('NX_OPTION', { what: `modelsGlob ${glob} has more than one *`, why: 'it does not say where a new model belongs', fix: 'make the folder by hand, with a project.json and a recipe.yaml' });
  }
  if (tree.exists(root)) {
    throw nxError('NX_MODEL_EXISTS', { what: `${root} is there already`, evidence: { path: root }, fix: 'choose another name, or remove the folder' });
  }
  return root;
}

/** `texts` is the folder in which a calibration text may lie beside the weights. */
type FoundCheckpoint = { readonly kind: 'path'; readonly path: string; readonly texts: string } | { readonly kind: 'hub'; readonly id: string };

function findCheckpoint(workspaceRoot: string, given: string): FoundCheckpoint {
  const path = findPath(workspaceRoot, given);
  if (path !== undefined) return { kind: 'path', path, texts: path.endsWith('.gguf') ? dirname(path) : path };
  if (/^[\w-][\w.-]*\/[\w-][\w.-]*(@[\w][\w./-]*)?$/.test(given)) return { kind: 'hub', id: given };
  throw nxError('NX_CHECKPOINT_NOT_FOUND', {
    what: `no checkpoint at ${printable(given)}`,
    why: 'it is neither a folder or file that exists nor a hub id (org/name, org/name@revision)',
    evidence: { path: given },
    fix: 'give the folder that holds config.json and the safetensors files, or a .gguf file',
  });
}

function calibrationChoice(workspaceRoot: string, root: string, given: string | undefined, checkpoint: FoundCheckpoint): RecipeChoices['calibration'] {
  if (given !== undefined) {
    const path = findPath(workspaceRoot, given);
    if (path === undefined) throw nxError('NX_OPTION', { what: `no calibration text at ${printable(given)}`, evidence: { path: given }, fix: 'give a UTF-8 text file' });
    return { kind: 'file', path: pathFrom(workspaceRoot, root, path) };
  }
  return checkpoint.kind === 'path' && existsSync(join(checkpoint.texts, 'calibration.txt')) ? { kind: 'default' } : { kind: 'none' };
}

/** Paths on the command line are relative to where the person is; npx and Nx may have moved the process. */
function findPath(workspaceRoot: string, given: string): string | undefined {
  const bases = [process.env['INIT_CWD'], process.cwd(), workspaceRoot].filter((base) => base !== undefined);
  return bases.map((base) => resolve(base, given)).find((path) => existsSync(path));
}

/** Relative to the model folder and with forward slashes, so that a checkout can move; absolute paths stay what the person chose. */
function pathFrom(workspaceRoot: string, root: string, path: string): string {
  const way = relative(join(workspaceRoot, root), path);
  if (isAbsolute(way)) return way;
  const slashed = way.split(sep).join('/');
  return slashed.startsWith('.') ? slashed : `./${slashed}`;
}
