/** How weights get their codes: the choices of a recipe, with every default decided. */

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

export interface Technique {
  /** Factors of input channels that are folded into what comes before a layer. */
  readonly smoothing: Smoothing;
  readonly scales: ScaleSearch;
  readonly rounding: Rounding;
  /** Part of the target correction, 0 to 1, or the part that held-out tokens choose for each layer. */
  readonly correction: number | 'heldOut';
  /** Sweeps of coordinate descent after rounding. */
  readonly polish: number;
}

/** Whether a technique reads the inputs of layers, so that calibration text must run through the blocks. */
export function needsInputs({ smoothing, scales, rounding, correction, polish }: Technique): boolean {
  return smoothing.method !== 'none' || scales.search === 'seqmse' || (scales.search === 'grid' && scales.weighting !== 'none') || rounding.method !== 'nearest' || correction !== 0 || polish > 0;
}

/** Whether it also reads what the float model has at the same place. */
export function needsReference({ scales, rounding, correction }: Technique): boolean {
  return (scales.search === 'seqmse' && scales.inputs === 'float') || rounding.method === 'gptaq' || correction !== 0;
}

/** Whether the float model's inputs themselves are needed, not only what the layer makes of them. */
export function needsReferenceInputs({ scales, rounding }: Technique): boolean {
  return (scales.search === 'seqmse' && scales.inputs === 'float') || rounding.method === 'gptaq';
}

/** Named chains. What a recipe writes beside the name replaces that link. */
export const QUANTIZE_RECIPES = {
  minmax: { smoothing: { method: 'none' }, scales: { search: 'minmax' }, rounding: { method: 'nearest' }, correction: 0, polish: 0 },
  fast: { smoothing: { method: 'none' }, scales: { search: 'grid', factors: 9, weighting: 'none' }, rounding: { method: 'nearest' }, correction: 0, polish: 0 },
  lpbq_seqmse: { smoothing: { method: 'none' }, scales: { search: 'seqmse', candidates: 30, inputs: 'float', start: 'compressed' }, rounding: { method: 'nearest' }, correction: 0, polish: 0 },
  gptaq: { smoothing: { method: 'none' }, scales: { search: 'seqmse', candidates: 20, inputs: 'quantized', start: 'minMax' }, rounding: { method: 'gptaq', damping: 0.01, actOrder: true, alpha: 0.25 }, correction: 0, polish: 0 },
  lpbq_gptaq: { smoothing: { method: 'none' }, scales: { search: 'grid', factors: 9, weighting: 'blocks' }, rounding: { method: 'gptq', damping: 0.01, actOrder: true }, correction: 'heldOut', polish: 2 },
} as const satisfies Readonly<Record<string, Technique>>;

export type QuantizeRecipeName = keyof typeof QUANTIZE_RECIPES;

/** The chain that the keys of a quantize section mean. */
export function resolveTechnique(keys: { readonly recipe?: QuantizeRecipeName | undefined; readonly smoothing?: Technique['smoothing'] | undefined; readonly scales?: Technique['scales'] | undefined; readonly rounding?: Technique['rounding'] | undefined; readonly correction?: Technique['correction'] | undefined; readonly polish?: number | undefined }): Technique {
  const named: Technique = QUANTIZE_RECIPES[keys.recipe ?? 'minmax'];
  return { smoothing: keys.smoothing ?? named.smoothing, scales: keys.scales ?? named.scales, rounding: keys.rounding ?? named.rounding, correction: keys.correction ?? named.correction, polish: keys.polish ?? named.polish };
}
