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
 * One range a part, in order, at least one layer each. Of the plans with the smallest largest part, the one whose sizes have the
 * smallest sum of squares: a part with the embedding or the head, which is large anyway, leaves the others even. Parts at the front
 * take more where that leaves a choice.
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
  return evenRanges(sizes, parts, smallestCap(sizes, parts));
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

/** Sums this near are equal: estimates of sizes are fractions, and squares of bytes are rounded. */
const ROUNDING = 1e-12;

/** Cuts with the smallest sum of squares among those whose runs stay within `cap` (exact, by the end of each run). */
function evenRanges(sizes: readonly number[], parts: number, cap: number): LayerRange[] {
  const count = sizes.length;
  const before = sizes.reduce((sums, size) => [...sums, (sums.at(-1) as number) + size], [0]);
  const sizeOf = (from: number, to: number): number => (before[to] as number) - (before[from] as number);
  const squareOf = (from: number, to: number): number => (sizeOf(from, to) <= cap * (1 + ROUNDING) ? sizeOf(from, to) ** 2 : Infinity);
  // The first run of all that is behind a layer, for every number of runs.
  const cuts: number[][] = [];
  let squares = sizes.map((_, from) => squareOf(from, count));
  for (let runs = 2; runs <= parts; runs++) {
    const behind = squares;
    const chosen = sizes.map(() => count);
    squares = sizes.map((_, from) => {
      let best = Infinity;
      for (let to = count - runs + 1; to > from; to--) {
        const sum = squareOf(from, to) + (behind[to] as number);
        if (sum < best * (1 - ROUNDING)) [best, chosen[from]] = [sum, to];
      }
      return best;
    });
    cuts.push(chosen);
  }
  const ranges: LayerRange[] = [];
  for (let from = 0, left = parts; left > 0; left--) {
    const to = left === 1 ? count : (cuts[left - 2]?.[from] as number);
    ranges.push({ from, to });
    from = to;
  }
  return ranges;
}
