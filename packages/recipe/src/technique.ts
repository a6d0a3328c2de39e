/** How weights get their codes: the choices of a recipe, with every default decided. */

/** So many windows of the calibration text, about. */
export type FloatWindows = number | 'all';

export type ScaleSearch =
  | { readonly search: 'minmax' }
  | { readonly search: 'grid'; readonly factors: number; readonly weighting: 'blocks' | 'diagonal' | 'none' }
  | { readonly search: 'seqmse'; readonly candidates: number; readonly inputs: 'quantized' | 'float'; readonly start: 'minMax' | 'compressed' };

export type Rounding =
  | { readonly method: 'nearest' }
  | { readonly method: 'gptq'; readonly damping: number; readonly actOrder: boolean }
  | { readonly method: 'gptaq'; readonly damping: number; readonly actOrder: boolean; readonly alpha: number };

export type Smoothing =
  | { readonly method: 'none' }
  | { readonly method: 'awq'; readonly points: number };

/** How a whole block is learned after its layers: by gradients, for some iterations of so many tokens. */
export type Refinement = { readonly method: 'none' } | { readonly method: 'adascale' | 'signround'; readonly iterations: number; readonly tokens: number };

export interface Technique {
  /** Factors of input channels that are folded into what comes before a layer. */
  readonly smoothing: Smoothing;
  readonly scales: ScaleSearch;
  readonly rounding: Rounding;
  /** Part of the target correction, 0 to 1, or the part that held-out tokens choose for each layer. */
  readonly correction: number | 'heldOut';
  /** Sweeps of coordinate descent after rounding. */
  readonly polish: number;
  /** How many windows of the calibration text the float model runs on, about, beside those that choices are judged by. */
  readonly floatWindows: FloatWindows;
  /** What inputs of the products with tokens are rounded to while a technique learns from them. */
  readonly products: 'float32' | 'int16' | 'int8';
  /** What is done to the codes of a whole block at the end. */
  readonly refine: Refinement;
}

/** Whether a technique reads the inputs of layers, so that calibration text must run through the blocks. */
export function needsInputs({ smoothing, scales, rounding, correction, polish, refine }: Technique): boolean {
  const searches = scales.search === 'seqmse' || (scales.search === 'grid' && scales.weighting !== 'none');
  return smoothing.method !== 'none' || searches || rounding.method !== 'nearest' || correction !== 0 || polish > 0 || refine.method !== 'none';
}

/** Whether it also reads what the float model has at the same place, so that that model must run beside. */
export function needsReference(technique: Technique): boolean {
  return technique.refine.method !== 'none' || needsReferenceMoments(technique);
}

/** Whether layers are solved with moments of what the float model has. */
export function needsReferenceMoments({ scales, rounding, correction }: Technique): boolean {
  return (scales.search === 'seqmse' && scales.inputs === 'float') || rounding.method === 'gptaq' || correction !== 0;
}

/** Whether the float model's inputs themselves are needed, not only what the layer makes of them. */
export function needsReferenceInputs({ scales, rounding }: Technique): boolean {
  return (scales.search === 'seqmse' && scales.inputs === 'float') || rounding.method === 'gptaq';
}

/** Whether choices are judged by what the float model gives, which must then run on all windows that they are judged by. */
export function judgesByReference({ rounding, correction }: Technique): boolean {
  return rounding.method !== 'nearest' || correction !== 0;
}

/** Whether the mean of how the float model differs is all that is learned from it, which few windows tell. */
export function learnsMeanDifference(technique: Technique): boolean {
  return needsReferenceMoments(technique) && technique.refine.method === 'none';
}

/** Whether it needs the Gram matrix of all inputs of a layer, not only of those of each block. */
export function needsWholeGram({ rounding, correction, polish }: Technique): boolean {
  return rounding.method !== 'nearest' || correction !== 0 || polish > 0;
}

/** Min-max and rounding to nearest, from the weights alone. */
const PLAIN: Technique = { smoothing: { method: 'none' }, scales: { search: 'minmax' }, rounding: { method: 'nearest' }, correction: 0, polish: 0, floatWindows: 'all', products: 'float32', refine: { method: 'none' } };

/** Named chains. What a recipe writes beside the name replaces that link. */
export const QUANTIZE_RECIPES = {
  minmax: PLAIN,
  fast: { ...PLAIN, scales: { search: 'grid', factors: 9, weighting: 'none' } },
  lpbq_seqmse: { ...PLAIN, scales: { search: 'seqmse', candidates: 30, inputs: 'float', start: 'compressed' }, floatWindows: 6, products: 'int8' },
  gptaq: { ...PLAIN, scales: { search: 'seqmse', candidates: 20, inputs: 'quantized', start: 'minMax' }, rounding: { method: 'gptaq', damping: 0.01, actOrder: true, alpha: 0.25 }, products: 'int8' },
  lpbq_gptaq: { ...PLAIN, scales: { search: 'grid', factors: 9, weighting: 'blocks' }, rounding: { method: 'gptq', damping: 0.01, actOrder: true }, correction: 'heldOut', polish: 2, floatWindows: 20, products: 'int8' },
  // With R1 and a scale a channel: model-recipes.ts.
  spinquant: PLAIN,
  spinquant_adascale: { ...PLAIN, refine: { method: 'adascale', iterations: 512, tokens: 512 } },
} satisfies Readonly<Record<string, Technique>>;

export type QuantizeRecipeName = keyof typeof QUANTIZE_RECIPES;

/** What a recipe means that names no chain: the best that was measured (docs/quantization.md). */
export const DEFAULT_QUANTIZE_RECIPE: QuantizeRecipeName = 'lpbq_gptaq';

/** The chain that the keys of a quantize section mean. */
export function resolveTechnique(keys: { readonly recipe?: QuantizeRecipeName | undefined } & { readonly [Link in keyof Technique]?: Technique[Link] | undefined }): Technique {
  const named: Technique = QUANTIZE_RECIPES[keys.recipe ?? DEFAULT_QUANTIZE_RECIPE];
  const written = Object.fromEntries(Object.keys(named).flatMap((link) => (keys[link as keyof Technique] === undefined ? [] : [[link, keys[link as keyof Technique]]])));
  const chain: Technique = { ...named, ...written };
  // What changes nothing is one recipe: products that round nothing, and a float model that does not run, or is read everywhere.
  return {
    ...chain,
    products: needsInputs(chain) ? chain.products : 'float32',
    floatWindows: learnsMeanDifference(chain) ? chain.floatWindows : 'all',
  };
}
