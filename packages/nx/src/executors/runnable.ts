/** Refuses a task whose model cannot be built, or whose graph is older than its recipe. */
import type { ExecutorContext } from '@nx/devkit';
import type { Lock } from '@tundish/recipe/lock';
import { nxError } from '../errors.js';
import { requireLock } from '../lock/lock-file.js';
import { refusalOf } from '../lock/model-state.js';

/**
 * The lock of the model, when its tasks may run.
 *
 * @throws the fault of the recipe, found before the run; NX_LOCK_MISSING; NX_PLAN_OUTDATED
 */
export function requireRunnableModel(modelRoot: string, context: ExecutorContext): Lock {
  const reason = refusalOf(modelRoot);
  if (reason !== undefined) throw reason;
  const lock = requireLock(context.root, modelRoot);
  const wanted = [...Object.keys(lock.cells).map((cell) => `${modelRoot}/cells/${cell}`), ...Object.keys(lock.parts).map((part) => `${modelRoot}/parts/${part}`)];
  const planned = Object.values(context.projectsConfigurations.projects).map(({ root }) => root).filter((root) => root.startsWith(`${modelRoot}/cells/`) || root.startsWith(`${modelRoot}/parts/`));
  if (wanted.sort().join() !== planned.sort().join()) {
    throw nxError('NX_PLAN_OUTDATED', {
      what: `the recipe of ${modelRoot} changed its cells or parts while Nx was starting`,
      why: `Nx planned ${planned.length} of them, the lock has ${wanted.length}`,
      fix: 'run the same command again',
    });
  }
  return lock;
}
