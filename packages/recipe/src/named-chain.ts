/** A recipe under another named chain of techniques, for comparing chains over one checkpoint. */
import { recipeError } from './errors.js';
import { underNamedModel } from './model-recipes.js';
import { type RecipeFile, recipeFileOf } from './recipe-file.js';
import type { QuantizeRecipeName } from './technique.js';

/**
 * The same recipe with a named chain in place of all that it says of techniques: name, smoothing, scales, rounding, correction, polish, floatWindows, products, refine;
 * and the rotation and the scheme that names of AIMET's stand for.
 *
 * @throws RECIPE_VALUE for a recipe that does not quantize
 */
export function withNamedChain(file: RecipeFile, chain: QuantizeRecipeName): RecipeFile {
  const { path } = file;
  const recipe = underNamedModel(file.recipe, chain);
  if (recipe.quantize === 'none') {
    throw recipeError('RECIPE_VALUE', { what: `quantize: none has no techniques that ${chain} could stand for`, evidence: { path, ...file.locate(['quantize']) }, fix: 'write quantize: {} or more, or compare with a recipe file that does' });
  }
  const { weights, overrides, mixedPrecision, lmHead, embedding, activations, kvCache, calibration } = recipe.quantize;
  return recipeFileOf({ ...file.plain(), recipe: { ...recipe, quantize: { recipe: chain, weights, overrides, mixedPrecision, lmHead, embedding, activations, kvCache, calibration } } }, path);
}
