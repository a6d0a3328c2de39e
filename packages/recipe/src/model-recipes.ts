/** Named recipes that say more than a chain of techniques: a rotation before it, and the scheme of the weights. */
import { recipeError } from './errors.js';
import type { Recipe } from './schema.js';
import type { QuantizeRecipeName } from './technique.js';
import type { YamlDocument } from './yaml-document.js';

/** Those of AIMET: R1 with a scale a channel. */
const ROTATED_PER_CHANNEL: readonly QuantizeRecipeName[] = ['spinquant', 'spinquant_adascale'];

interface Written {
  readonly quantize?: { readonly weights?: { readonly scheme?: unknown } };
  readonly optimize?: { readonly rotate?: { readonly r1?: unknown } };
}

/**
 * The recipe with what its name says where nothing is written.
 *
 * @throws RECIPE_VALUE where what is written takes back the rotation that the name stands for
 */
export function withNamedModel(recipe: Recipe, document: YamlDocument, path: string): Recipe {
  const { quantize } = recipe;
  if (quantize === 'none' || quantize.recipe === undefined || !ROTATED_PER_CHANNEL.includes(quantize.recipe)) return recipe;
  const written = document.value as Written;
  if (written.optimize?.rotate?.r1 === false) {
    throw recipeError('RECIPE_VALUE', {
      what: `optimize.rotate.r1: false takes the rotation from quantize.recipe: ${quantize.recipe}`,
      why: 'the rotation is what this recipe is named after',
      evidence: { path, ...document.locate(['optimize', 'rotate', 'r1']) },
      fix: 'remove r1, or name the chain that you want without it',
    });
  }
  const scheme = written.quantize?.weights?.scheme === undefined ? 'per_channel' : quantize.weights.scheme;
  return rotated({ ...recipe, quantize: { ...quantize, weights: { ...quantize.weights, scheme } } }, true);
}

/** The same for another name in its place: what the old one said goes, what the new one says comes. */
export function underNamedModel(recipe: Recipe, chain: QuantizeRecipeName): Recipe {
  const { quantize } = recipe;
  if (quantize === 'none') return recipe;
  const [was, is] = [quantize.recipe, chain].map((name) => name !== undefined && ROTATED_PER_CHANNEL.includes(name));
  const { scheme, bits } = quantize.weights;
  if (is) return rotated({ ...recipe, quantize: { ...quantize, weights: { scheme: 'per_channel', bits } } }, true);
  if (!was) return recipe;
  return rotated({ ...recipe, quantize: { ...quantize, weights: { scheme: scheme === 'per_channel' ? 'lpbq' : scheme, bits } } }, false);
}

function rotated(recipe: Recipe, r1: boolean): Recipe {
  return { ...recipe, optimize: { ...recipe.optimize, rotate: { ...recipe.optimize.rotate, r1 } } };
}
