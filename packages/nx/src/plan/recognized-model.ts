/** What the recipe of a model and its lock say about the projects that Nx is to see. */
import type { Lock } from '@tundish/recipe/lock';
import { encodeLock } from '@tundish/recipe/lock';
import { inContinuousIntegration } from '../environment.js';
import { readLockFile } from '../lock/lock-file.js';
import { resolveModel } from '../lock/resolve-model.js';
import { LOCK_FILE, RECIPE_FILE } from '../model-folders.js';
import type { ModelFolder } from '../model-folders.js';
import { pinnedFiles } from './pinned-files.js';
import type { Plan } from './stage-target.js';

export interface RecognizedModel {
  readonly plan: Plan;
  /**
   * What decides about the build, as globs relative to the workspace: the lock, and the files that it pins; every file, where the
   * lock is not what it should be now; the recipe, where that cannot be told because of a fault in it or a missing checkpoint.
   */
  readonly readFiles: readonly string[];
}

/**
 * The plan is that of the recipe, so that an edit of it alone changes the graph; nothing is written here, since graphs are also
 * made by `nx show`, by editors, and by the daemon in the middle of a checkout. In CI the committed lock decides.
 * A recipe with a fault keeps its last cells, and its tasks fail with the reason.
 */
export async function recognizeModel(workspaceRoot: string, model: ModelFolder): Promise<RecognizedModel> {
  const onDisk = readLockFile(workspaceRoot, model.root);
  const { lock } = await resolveModel(workspaceRoot, model, false);
  const deciding: Lock | undefined = inContinuousIntegration() ? (onDisk?.lock ?? lock) : (lock ?? onDisk?.lock);
  const isCurrent = lock !== undefined && onDisk?.bytes.equals(encodeLock(lock)) === true;
  const suspects = lock === undefined ? [`${model.root}/${RECIPE_FILE}`] : ['**/*'];
  return {
    plan: deciding ?? { cells: {}, parts: {} },
    readFiles: [`${model.root}/${LOCK_FILE}`, ...(isCurrent ? [] : suspects), ...(deciding === undefined ? [] : pinnedFiles(workspaceRoot, model.root, deciding))],
  };
}
