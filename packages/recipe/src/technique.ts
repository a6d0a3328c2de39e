/** How weights get their codes: the choices of a recipe, with every default decided. */

export type ScaleSearch =
  | { readonly search: 'minmax' }
  | { readonly search: 'grid'; readonly factors: number; readonly weighting: 'blocks' | 'diagonal' | 'none' }
  | { readonly search: 'seqmse'; readonly candidates: number; readonly inputs: 'quantized' | 'float'; readonly start: 'minMax' | 'compressed' };

export type Rounding =
  | { readonly method: 'nearest' }
  | { readonly method: 'gptq'; readonly damping: number; readonly actOrder: boolean }
  | { readonly method: 'gptaq'; readonly damping: number; readonly actOrder: boolean; readonly alpha: number };

export interface Technique {
  readonly scales: ScaleSearch;
  readonly rounding: Rounding;
  /** Part of the target correction, 0 to 1, or the part that held-out tokens choose for each layer. */
  readonly correction: number | 'heldOut';
  /** Sweeps of coordinate descent after rounding. */
  readonly polish: number;
}

/** Whether a technique reads the inputs of layers, so that calibration text must run through the blocks. */
export function needsInputs({ scales, rounding, correction, polish }: Technique): boolean {
  return scales.search === 'seqmse' || (scales.search === 'grid' && scales.weighting !== 'none') || rounding.method !== 'nearest' || correction !== 0 || polish > 0;
}

/** Whether it also reads what the float model has at the same place. */
export function needsReference({ scales, rounding, correction }: Technique): boolean {
  return (scales.search === 'seqmse' && scales.inputs === 'float') || rounding.method === 'gptaq' || correction !== 0;
}

/** Whether the float model's inputs themselves are needed, not only what the layer makes of them. */
export function needsReferenceInputs({ scales, rounding }: Technique): boolean {
  return (scales.search === 'seqmse' && scales.inputs === 'float') || rounding.method === 'gptaq';
}
