/** What to build: recipe.yaml with its defaults, the plan of graphs, and the lock file that pins everything. */
export type { KeyPath, Position } from './key-position.js';
export { LOCK_SCHEMA, STAGE_NAMES, encodeLock, lockDifferences } from './lock.js';
export type { CustomStageLock, ImportOptions, Lock, LockSource, LockStages, QuantizeOptions, StageName } from './lock.js';
export { parseLock } from './parse-lock.js';
export { nearestName } from './nearest-name.js';
export { parseRecipe } from './parse-recipe.js';
export type { RecipeFile } from './recipe-file.js';
export { planCells, planPairs, planParts } from './plan.js';
export type { Cell, GraphPlan, Pair, Part } from './plan.js';
export { resolveRecipe } from './resolve.js';
export type { CustomStagePin, ResolveRequest } from './resolve.js';
export { CUSTOM_AFTER, DEFAULT_CL, PREFERS_SINGLE_HEADS, TOOLCHAINS } from './known-values.js';
export { recipeSchema } from './schema.js';
export type { QuantizeRecipe, Recipe } from './schema.js';
export { calibrationText, evaluationText, parseCheckpointReference } from './source-reference.js';
export type { CheckpointReference } from './source-reference.js';
export { parseYaml } from './yaml-document.js';
export type { YamlDocument } from './yaml-document.js';
