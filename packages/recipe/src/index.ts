/** What to build: recipe.yaml with its defaults, the plan of graphs, and the lock file that pins everything. */
export { LOCK_SCHEMA, STAGE_NAMES, encodeLock, lockDifferences, parseLock } from './lock.js';
export type { CustomStageLock, ImportOptions, Lock, LockSource, LockStages, QuantizeOptions, StageName } from './lock.js';
export { nearestName } from './nearest-name.js';
export { parseRecipe } from './parse-recipe.js';
export type { RecipeFile } from './parse-recipe.js';
export { planCells, planPairs, planParts } from './plan.js';
export type { Cell, GraphPlan, Pair, Part } from './plan.js';
export { resolveRecipe } from './resolve.js';
export type { CustomStagePin, ResolveRequest } from './resolve.js';
export { CUSTOM_AFTER, DEFAULT_CL, EVALUATION_PROTOCOLS, PREFERS_SINGLE_HEADS, TEXT_FORMATS, TOOLCHAINS, recipeSchema } from './schema.js';
export type { EvaluationProtocol, QuantizeRecipe, Recipe, TextFormat } from './schema.js';
export { calibrationText, evaluationText, parseCheckpointReference, textFormat } from './source-reference.js';
export type { CheckpointReference } from './source-reference.js';
export { parseYaml } from './yaml-document.js';
export type { KeyPath, Position, YamlDocument } from './yaml-document.js';
export { QUANTIZE_RECIPES, resolveTechnique } from './techniques.js';
export type { QuantizeRecipeName } from './techniques.js';
