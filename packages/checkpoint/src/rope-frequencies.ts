/** Rotary frequencies in float64; formulas as in transformers 4.57 `modeling_rope_utils`. */
import type { Llama3Rope, Rope, YarnRope } from './rope.js';

/** The angle of position p in column i is p * inverseFrequencies[i]; cos and sin are multiplied by attentionScaling. */
export interface RopeFrequencies {
  /** headDim / 2 values, radians per position. */
  readonly inverseFrequencies: readonly number[];
  readonly attentionScaling: number;
}

/** @param config the `rope` and the even `headDim` of a model */
export function ropeFrequencies(config: { readonly rope: Rope; readonly headDim: number }): RopeFrequencies {
  const { rope, headDim } = config;
  const plain = Array.from({ length: headDim / 2 }, (_, i) => rope.theta ** ((-2 * i) / headDim));
  switch (rope.type) {
    case 'default':
      return { inverseFrequencies: plain, attentionScaling: 1 };
    case 'linear':
      return { inverseFrequencies: plain.map((inverse) => inverse / rope.factor), attentionScaling: 1 };
    case 'llama3':
      return { inverseFrequencies: plain.map((inverse) => scaleLlama3(inverse, rope)), attentionScaling: 1 };
    case 'yarn':
      return { inverseFrequencies: scaleYarn(plain, rope, headDim), attentionScaling: rope.attentionFactor };
  }
}

function scaleLlama3(inverse: number, rope: Llama3Rope): number {
  const wavelength = (2 * Math.PI) / inverse;
  const original = rope.originalMaxPositionEmbeddings;
  if (wavelength < original / rope.highFreqFactor) return inverse;
  if (wavelength > original / rope.lowFreqFactor) return inverse / rope.factor;
  const smooth = (original / wavelength - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor);
  return ((1 - smooth) * inverse) / rope.factor + smooth * inverse;
}

function scaleYarn(plain: readonly number[], rope: YarnRope, headDim: number): number[] {
  // The dimension that turns `rotations` times over the original context.
  const dimension = (rotations: number): number =>
    (headDim * Math.log(rope.originalMaxPositionEmbeddings / (rotations * 2 * Math.PI))) / (2 * Math.log(rope.theta));
  const fast = dimension(rope.betaFast);
  const slow = dimension(rope.betaSlow);
  const low = Math.max(rope.truncate ? Math.floor(fast) : fast, 0);
  let high = Math.min(rope.truncate ? Math.ceil(slow) : slow, headDim - 1);
  if (low === high) high += 0.001;
  return plain.map((inverse, i) => {
    const ramp = Math.min(Math.max((i - low) / (high - low), 0), 1);
    return (inverse / rope.factor) * ramp + inverse * (1 - ramp);
  });
}
