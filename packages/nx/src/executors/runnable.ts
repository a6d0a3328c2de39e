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
  const customs = Object.keys(lock.custom ?? {});
  const unplanned = customs.filter((stage) => !stageTargets(modelRoot, context).has(stage));
  if (wanted.sort().join() !== planned.sort().join() || unplanned.length > 0) {
    throw nxError('NX_PLAN_OUTDATED', {
      what: `the recipe of ${modelRoot} changed its cells, parts or stages while Nx was starting`,
      why: `Nx planned ${planned.length} cells and parts, the lock has ${wanted.length}${unplanned.length === 0 ? '' : ` and the stage ${unplanned.join(', ')}`}`,
      fix: 'run the same command again',
    });
  }
  return lock;
}

/** Names of the stages that Nx has as targets of the model, of its cells and of its parts. */
function stageTargets(modelRoot: string, { projectsConfigurations: { projects } }: ExecutorContext): ReadonlySet<string> {
  const own = Object.values(projects).filter(({ root }) => root === modelRoot || root.startsWith(`${modelRoot}/`));
  return new Set(own.flatMap(({ targets = {} }) => Object.keys(targets)));
}
