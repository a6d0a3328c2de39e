/** Shares the layers of a model out among parts so that the largest part is as small as it can be. */
import { transformError } from '../errors.js';

/** Bytes of weights; what counts is their ratio. */
export interface PartWeights {
  /** Added to the first part. */
  readonly embedding: number;
  readonly layers: readonly number[];
  /** Final norm and head, added to the last part. */
  readonly head: number;
}

/** Layers [from, to) of one part, counted from 0 in the order of the model. */
export interface LayerRange {
  readonly from: number;
  readonly to: number;
}

/**
 * One range a part, in order, at least one layer each. Of the plans with the smallest largest part, the one whose
 * remaining parts are again the most even; parts at the front take more where that leaves a choice.
 *
 * @throws SPLIT_PARTS_INVALID when there are fewer layers than parts
 */
export function planParts(layerCount: number, parts: number, weights?: PartWeights): readonly LayerRange[] {
  if (!Number.isSafeInteger(parts) || parts < 1 || parts > layerCount) {
    throw transformError('SPLIT_PARTS_INVALID', {
      what: `${layerCount} layers cannot be split into ${parts} parts`,
      why: 'every part holds at least one layer',
      fix: `set graphs.parts to a whole number from 1 to ${layerCount}`,
    });
  }
  const sizes = layerSizes(layerCount, weights);
  const ranges: LayerRange[] = [];
  for (let part = 0, from = 0; part < parts; part++) {
    const left = parts - part - 1;
    const cap = smallestCap(sizes.slice(from), left + 1);
    let to = from + 1;
    let size = sizes[from] ?? 0;
    while (to < layerCount - left && size + (sizes[to] ?? 0) <= cap) size += sizes[to++] ?? 0;
    if (left === 0) to = layerCount;
    ranges.push({ from, to });
    from = to;
  }
  return ranges;
}

/** Embedding and head are always in the part of their neighbour, so they count as part of it. */
function layerSizes(layerCount: number, weights: PartWeights | undefined): number[] {
  const sizes = Array.from({ length: layerCount }, (_, i) => weights?.layers[i] ?? 1);
  sizes[0] = (sizes[0] ?? 0) + (weights?.embedding ?? 0);
  sizes[layerCount - 1] = (sizes[layerCount - 1] ?? 0) + (weights?.head ?? 0);
  return sizes;
}

/** Smallest possible largest sum when `sizes` is cut into `parts` runs of at least one (linear partition, exact). */
function smallestCap(sizes: readonly number[], parts: number): number {
  let best = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size, 0));
  for (let part = 1; part < parts; part++) {
    const previous = best;
    best = sizes.map((_, end) => {
      let cap = Infinity;
      let last = 0;
      for (let cut = end; cut >= part; cut--) {
        last += sizes[cut] ?? 0;
        cap = Math.min(cap, Math.max(previous[cut - 1] ?? Infinity, last));
      }
      return cap;
    });
  }
  return best[sizes.length - 1] ?? 0;
}
