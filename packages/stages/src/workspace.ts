/** The part of this package that looks at what lies in a workspace: models, layouts, targets; no graph, no schema library. */
export { findModel, findModels } from './find-models.js';
export type { FoundModel } from './find-models.js';
export { LOCK_FILE, RECIPE_FILE, modelLayout } from './layout.js';
export type { ModelLayout } from './layout.js';
export { inputsOf, isBuiltIn, unitName, unitsOf } from './plan.js';
export type { Unit } from './plan.js';
export { parseTarget, targetUnits } from './target.js';
export type { Target } from './target.js';
