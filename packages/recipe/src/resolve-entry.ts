/** The part of this package that makes a lock of a parsed recipe: loads neither the schema library nor that of YAML. */
export { withNamedChain } from './named-chain.js';
export { recipeFileOf } from './recipe-file.js';
export type { PlainRecipe, RecipeFile } from './recipe-file.js';
export { resolveRecipe } from './resolve.js';
export type { CustomStagePin, ResolveRequest } from './resolve.js';
export type { QuantizeSourcePins } from './quantize-source.js';
export type { Recipe } from './schema.js';
export { calibrationText, parseCheckpointReference } from './source-reference.js';
export type { CheckpointReference } from './source-reference.js';

/** The module whose code, with what it imports, decides what a recipe is read as. */
export const RECIPE_PARSER = new URL('./parse-recipe.js', import.meta.url);
