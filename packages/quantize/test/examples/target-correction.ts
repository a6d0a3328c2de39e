/** A weight that makes good what its inputs lost: learned from some tokens, as far as others agree. */
import { type Compute, type LayerWeight, type ReferenceStatistics, bestPart, correctionOf, factorGram, stepOrder } from '@tundish/quantize/techniques';

export function correctTarget(compute: Compute, weight: LayerWeight, learned: ReferenceStatistics, heldOut: ReferenceStatistics): LayerWeight {
  const factor = factorGram(compute, learned.gram, stepOrder(learned.gram, weight.k, true), 0.01);
  if (factor === undefined) return weight;
  const correction = correctionOf(compute, weight, factor, learned);
  const part = bestPart(compute, weight, correction, heldOut);
  return { ...weight, w: weight.w.map((value, i) => value + part * (correction[i] as number)) };
}
