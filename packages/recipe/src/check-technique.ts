/** Holds the chain of a recipe against itself: options of links that do nothing, or too little, beside the other links. */
import { recipeError } from './errors.js';
import type { KeyPath } from './key-position.js';
import type { Recipe } from './schema.js';
import { type Technique, needsInputs, needsReferenceEverywhere, resolveTechnique } from './technique.js';
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
  checkFloatWindows(technique, quantize.scales !== undefined, refuse);
}

/** @param written whether the recipe itself says how scales are found; the named chain does otherwise */
function checkFloatWindows(technique: Technique, written: boolean, refuse: Refuse): void {
  const { scales } = technique;
  if (scales.search !== 'seqmse' || scales.floatWindows === 'all') return;
  const own: KeyPath = ['quantize', 'scales', 'floatWindows'];
  if (scales.inputs === 'quantized') throw refuse(own, 'quantize.scales.floatWindows has no meaning with inputs: quantized', 'the float model does not run then', 'remove floatWindows, or write inputs: float');
  if (!needsReferenceEverywhere(technique)) return;
  const [link, choice] = blockingLink(technique);
  throw refuse(written ? own : ['quantize', link], `quantize.scales.floatWindows: ${scales.floatWindows} does not go with ${choice}`, `that link reads what the float model has in every window${written ? '' : ', and scales that are not written are those of the named recipe'}`, `write scales: { search: seqmse, candidates: ${scales.candidates}, inputs: float, start: ${scales.start} }`);
}

/** The link that reads the float model everywhere, and how a recipe writes it. */
function blockingLink({ rounding, correction, refine }: Technique): readonly ['rounding' | 'correction' | 'refine', string] {
  if (rounding.method === 'gptaq') return ['rounding', 'rounding: { method: gptaq }'];
  return correction === 0 ? ['refine', `refine: { method: ${refine.method} }`] : ['correction', `correction: ${correction}`];
}
