/** The weight part of the quantize section, resolved: schemes of all projections and of single ones, and what goes with them. */
import { recipeError } from './errors.js';
import type { KeyPath } from './key-position.js';
import { matchingNames, projectionNames } from './layer-names.js';
import { nearestName } from './nearest-name.js';
import type { RecipeFile } from './recipe-file.js';
import type { QuantizeRecipe } from './schema.js';
import { type Technique, needsInputs } from './technique.js';
import { type WeightKeys, type WeightScheme, weightScheme } from './weight-scheme.js';

export interface WeightsLock {
  readonly weights: WeightScheme;
  /** By name of the projection; absent when there are none. */
  readonly overrides?: Record<string, WeightScheme>;
  readonly mixedPrecision?: { readonly budget: number };
}

/**
 * @param layers decoder blocks of the model
 * @throws RECIPE_SCHEME for keys that do not go together, RECIPE_LAYER for a pattern that matches no projection
 */
export function resolveWeights(file: RecipeFile, quantize: QuantizeRecipe, technique: Technique, layers: number): WeightsLock {
  const weights = schemeAt(file, ['quantize', 'weights'], quantize, quantize.weights);
  refuseCompressedStart(file, technique, weights);
  const names = projectionNames(layers);
  const overrides: Record<string, WeightScheme> = {};
  quantize.overrides.forEach((keys, index) => {
    const scheme = schemeAt(file, ['quantize', 'overrides', index], quantize, keys);
    const found = matchingNames(keys.layers, names);
    if (found.length === 0) throw unknownLayer(file, index, keys.layers, names);
    for (const name of found) overrides[name] = scheme;
  });
  const { mixedPrecision } = quantize;
  if (mixedPrecision !== undefined) refuseMixedPrecision(file, technique, weights);
  return { weights, ...(Object.keys(overrides).length === 0 ? {} : { overrides }), ...(mixedPrecision === undefined ? {} : { mixedPrecision }) };
}

function schemeAt(file: RecipeFile, key: KeyPath, { activations }: QuantizeRecipe, keys: WeightKeys): WeightScheme {
  const scheme = weightScheme(keys);
  if ('key' in scheme) throw schemeFault(file, [...key, scheme.key], `${scheme.key}: ${keys[scheme.key]}`, scheme.why, scheme.fix);
  if (scheme.scheme !== 'per_block' || activations === 'none') return scheme;
  throw schemeFault(file, [...key, 'scheme'], 'scheme: per_block', 'integer products sum across blocks, so devices take float scales of blocks only with activations in floating point', 'write scheme: lpbq, whose block scales are integers, or activations: none');
}

function refuseCompressedStart(file: RecipeFile, { scales }: Technique, { scheme }: WeightScheme): void {
  if (scales.search !== 'seqmse' || scales.start === 'minMax' || scheme === 'lpbq') return;
  throw schemeFault(file, ['quantize', 'weights', 'scheme'], `scheme: ${scheme}`, 'scales: { search: seqmse, start: compressed } starts from compressed LPBQ scales, which this scheme has not (recipe: lpbq_seqmse does that)', `write scales: { search: seqmse, candidates: ${scales.candidates}, inputs: ${scales.inputs} }`);
}

function refuseMixedPrecision(file: RecipeFile, technique: Technique, { bits }: WeightScheme): void {
  const key = ['quantize', 'mixedPrecision'];
  const fault = (why: string, fix: string): Error => recipeError('RECIPE_SCHEME', { what: 'quantize.mixedPrecision cannot be built', why, evidence: { path: file.path, ...file.locate(key) }, fix });
  if (bits === 8) throw fault('it raises layers to 8 bits, which quantize.weights gives them all', 'write bits: 4 there, or remove mixedPrecision');
  if (!needsInputs(technique)) throw fault('it measures layers with the calibration text, which this chain of techniques does not run through the blocks', 'write recipe: lpbq_gptaq or another that does, or name layers in quantize.overrides');
}

function schemeFault(file: RecipeFile, key: KeyPath, written: string, why: string, fix: string): Error {
  return recipeError('RECIPE_SCHEME', { what: `${written} of ${keyText(key.slice(0, -1))} cannot be built`, why, evidence: { path: file.path, ...file.locate(key) }, fix });
}

function unknownLayer(file: RecipeFile, index: number, pattern: string, names: readonly string[]): Error {
  const near = nearestName(pattern, names);
  return recipeError('RECIPE_LAYER', {
    what: `quantize.overrides[${index}].layers matches no projection: ${pattern}`,
    why: `the model has ${names.length} of them, from ${names[0]} to ${names.at(-1)}`,
    evidence: { path: file.path, ...file.locate(['quantize', 'overrides', index, 'layers']) },
    fix: near === undefined ? 'write a name of these, with * for any characters between two dots and [0-3] for numbers' : `did you mean ${near}?`,
  });
}

function keyText(key: KeyPath): string {
  return key.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`)).join('');
}
