/** Holds the chain of a recipe against itself: options of links that do nothing, or too little, beside the other links. */
import { recipeError } from './errors.js';
import type { KeyPath } from './key-position.js';
import type { Recipe } from './schema.js';
import { type FloatWindows, type Technique, needsInputs, resolveTechnique } from './technique.js';
import type { YamlDocument } from './yaml-document.js';

type Refuse = (key: KeyPath, what: string, why: string, fix: string) => Error;

/** @throws RECIPE_VALUE with line and column */
export function checkTechnique({ quantize }: Recipe, document: YamlDocument, path: string): void {
  if (quantize === 'none') return;
  const technique = resolveTechnique(quantize);
  const refuse: Refuse = (key, what, why, fix) => recipeError('RECIPE_VALUE', { what, why, evidence: { path, ...document.locate(key) }, fix });
  if (quantize.products !== undefined && !needsInputs(technique)) {
    throw refuse(['quantize', 'products'], 'quantize.products has no meaning with these techniques', 'none of them learns from calibration tokens', 'remove products, or take a recipe that learns from text, for example lpbq_gptaq');
  }
  checkFloatWindows(technique, quantize.floatWindows, refuse);
}

function checkFloatWindows({ floatWindows, refine }: Technique, written: FloatWindows | undefined, refuse: Refuse): void {
  if (written === undefined || written === floatWindows) return;
  const key: KeyPath = ['quantize', 'floatWindows'];
  if (refine.method === 'none') throw refuse(key, 'quantize.floatWindows has no meaning with these techniques', 'none of them compares with the float model, so it does not run', 'remove floatWindows, or take a recipe that compares, for example lpbq_gptaq');
  throw refuse(key, `quantize.floatWindows: ${written} does not go with refine: { method: ${refine.method} }`, 'a refinement learns from what the float model has in every window', 'remove floatWindows');
}
