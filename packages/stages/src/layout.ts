/** Where a model project keeps what: the recipe, the lock, stage manifests, the container. */
import { join } from 'node:path';

export const RECIPE_FILE = 'recipe.yaml';
export const LOCK_FILE = 'recipe.lock.json';

/** Folders and files of one model project. */
export interface ModelLayout {
  /** Absolute path of the project. */
  readonly root: string;
  /** Last part of the path: the name of the model and of its folder in the cache. */
  readonly model: string;
  readonly recipe: string;
  readonly lock: string;
  /** The finished container: hard links into the store, rebuilt on demand. */
  readonly container: string;
  /** stage.json of a unit of work. */
  manifest(stage: string, subject: string | null): string;
}

/** Folder of the container of a chip below that of the model; '' where there is one chip, or none. */
export function containerFolder(chip: string | undefined, chips: number): string {
  return chips > 1 ? (chip?.toLowerCase() ?? '') : '';
}

export function modelLayout(workspaceRoot: string, modelRoot: string): ModelLayout {
  const root = join(workspaceRoot, modelRoot);
  return {
    root,
    model: modelRoot.split(/[\\/]/).filter(Boolean).at(-1) ?? 'model',
    recipe: join(root, RECIPE_FILE),
    lock: join(root, LOCK_FILE),
    container: join(root, 'artifacts', 'container'),
    manifest: (stage, subject) => join(root, 'out', ...folders(stage, subject), 'stage.json'),
  };
}

/** Pairs are `ar1-cl512`, cells `ar1-cl512-1of2`, parts `part1of2`. */
function folders(stage: string, subject: string | null): string[] {
  if (subject === null) return [stage];
  if (/^ar\d+-cl\d+$/.test(subject)) return [stage, subject];
  return [subject.startsWith('part') ? 'parts' : 'cells', subject, stage];
}
