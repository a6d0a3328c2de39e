/** The part of this package that the Nx plugin loads on every command: the plan and the lock, no graph and no numerics. */
export { CodeDigests } from './code/code-digests.js';
export { kernelDigest, stageModules } from './code/stage-code.js';
export { LOCK_FILE, RECIPE_FILE, containerFolder, modelLayout } from './layout.js';
export type { ModelLayout } from './layout.js';
export { emulatorLock, simulationLock } from './execution-lock.js';
export { materializeContainer, placeContainer } from './materialize.js';
export type { MaterializeRequest, MaterializedContainer } from './materialize.js';
export { DESCRIPTIONS, customStageOf, customStagesAfter, inputsOf, isBuiltIn, pairOf, pairsOf, placeOf, subjectsOf, unitName, unitsOf } from './plan.js';
export type { Unit, UnitPlan } from './plan.js';
export { customModulePath } from './custom/module-path.js';
export { customModules } from './custom/stage-modules.js';
export { lockModel } from './lock-model.js';
export { partOptions } from './unit-options.js';
export { resolveLock } from './resolve-lock.js';
export type { ResolveLockRequest } from './resolve-lock.js';
