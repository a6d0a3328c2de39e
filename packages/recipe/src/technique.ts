/** How weights get their codes: the choices of a recipe, with every default decided. */

export type ScaleSearch =
  | { readonly search: 'minmax' }
  | { readonly search: 'grid'; readonly factors: number; readonly weighting: 'blocks' | 'diagonal' | 'none' }
  | { readonly search: 'seqmse'; readonly candidates: number; readonly inputs: 'quantized' | 'float'; readonly start: 'minMax' | 'compressed' };

export type Rounding =
  | { readonly method: 'nearest' }
  | { readonly method: 'gptq'; readonly damping: number; readonly actOrder: boolean }
  | { readonly method: 'gptaq'; readonly damping: number; readonly actOrder: boolean; readonly alpha: number };

/** How a whole block is learned after its layers: by gradients, for some iterations of so many tokens. */
export type Refinement = { readonly method: 'none' } | { readonly method: 'adascale' | 'signround'; readonly iterations: number; readonly tokens: number };

export interface Technique {
  readonly scales: ScaleSearch;
  readonly rounding: Rounding;
  /** Part of the target correction, 0 to 1, or the part that held-out tokens choose for each layer. */
  readonly correction: number | 'heldOut';
  /** Sweeps of coordinate descent after rounding. */
  readonly polish: number;
  /** What is done to the codes of a whole block at the end. */
  readonly refine: Refinement;
}

/** Whether a technique reads the inputs of layers, so that calibration text must run through the blocks. */
export function needsInputs({ scales, rounding, correction, polish, refine }: Technique): boolean {
  return refine.method !== 'none' || scales.search === 'seqmse' || (scales.search === 'grid' && scales.weighting !== 'none') || rounding.method !== 'nearest' || correction !== 0 || polish > 0;
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

/** Named chains. What a recipe writes beside the name replaces that link. */
export const QUANTIZE_RECIPES = {
  minmax: { scales: { search: 'minmax' }, rounding: { method: 'nearest' }, correction: 0, polish: 0, refine: { method: 'none' } },
  fast: { scales: { search: 'grid', factors: 9, weighting: 'none' }, rounding: { method: 'nearest' }, correction: 0, polish: 0, refine: { method: 'none' } },
  lpbq_seqmse: { scales: { search: 'seqmse', candidates: 30, inputs: 'float', start: 'compressed' }, rounding: { method: 'nearest' }, correction: 0, polish: 0, refine: { method: 'none' } },
  gptaq: { scales: { search: 'seqmse', candidates: 20, inputs: 'quantized', start: 'minMax' }, rounding: { method: 'gptaq', damping: 0.01, actOrder: true, alpha: 0.25 }, correction: 0, polish: 0, refine: { method: 'none' } },
  lpbq_gptaq: { scales: { search: 'grid', factors: 9, weighting: 'blocks' }, rounding: { method: 'gptq', damping: 0.01, actOrder: true }, correction: 'heldOut', polish: 2, refine: { method: 'none' } },
} as const satisfies Readonly<Record<string, Technique>>;

export type QuantizeRecipeName = keyof typeof QUANTIZE_RECIPES;

/** The chain that the keys of a quantize section mean. */
export function resolveTechnique(keys: { readonly recipe?: QuantizeRecipeName | undefined; readonly scales?: Technique['scales'] | undefined; readonly rounding?: Technique['rounding'] | undefined; readonly correction?: Technique['correction'] | undefined; readonly polish?: number | undefined; readonly refine?: Refinement | undefined }): Technique {
  const named: Technique = QUANTIZE_RECIPES[keys.recipe ?? 'minmax'];
  return { scales: keys.scales ?? named.scales, rounding: keys.rounding ?? named.rounding, correction: keys.correction ?? named.correction, polish: keys.polish ?? named.polish, refine: keys.refine ?? named.refine };
}
