/** The tokens that top-k and top-p leave to a draw, most likely first. */

export interface Cut {
  /** Index of the largest score. */
  readonly best: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
}

/**
 * Ids in the order of falling score, equal scores by rising id: the first k, and of these the shortest run whose
 * probability (renormalised over the k) reaches topP. With both off, all ids in rising order: the order then changes nothing.
 */
export function topCandidates(scores: Float32Array, cut: Cut): Uint32Array {
  const limit = cut.topK === 0 ? scores.length : Math.min(cut.topK, scores.length);
  if (limit === scores.length && cut.topP === 1) return new Uint32Array(scores.length).map((_, id) => id);
  const max = scores[cut.best] as number;
  const weight = (id: number): number => Math.exp(((scores[id] as number) - max) / cut.temperature);
  const { ids, total } = limit < scores.length ? heaviest(scores, limit, weight) : likely(scores.length, weight, cut.topP);
  ids.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  if (cut.topP === 1) return ids;
  let sum = 0;
  let count = 0;
  while (count < ids.length && sum < cut.topP * total) sum += weight(ids[count++] as number);
  return ids.subarray(0, count);
}

/** Ids and the weight of all that they were chosen from or, for top-k, of themselves. */
interface Choice {
  readonly ids: Uint32Array;
  readonly total: number;
}

/**
 * Ids that can be in the nucleus at all. Tokens with a probability below (1 - topP) / V together hold less than 1 - topP, so
 * the run is complete before it reaches them; leaving them out spares the sort of the whole vocabulary.
 */
function likely(length: number, weight: (id: number) => number, topP: number): Choice {
  const weights = new Float64Array(length);
  let total = 0;
  for (let id = 0; id < length; id++) total += weights[id] = weight(id);
  // Half the bound leaves room for the rounding of the sums.
  const bound = (0.5 * (1 - topP) * total) / length;
  const ids = new Uint32Array(length);
  let count = 0;
  for (let id = 0; id < length; id++) if ((weights[id] as number) >= bound) ids[count++] = id;
  return { ids: ids.subarray(0, count), total };
}

function heaviest(scores: Float32Array, k: number, weight: (id: number) => number): Choice {
  const ids = largestIds(scores, k);
  let total = 0;
  for (const id of ids) total += weight(id);
  return { ids, total };
}

/** The k ids with the largest scores, smaller ids first among equals, by a heap whose root is the worst that is kept. */
function largestIds(scores: Float32Array, k: number): Uint32Array {
  const heap = new Uint32Array(k);
  const worse = (a: number, b: number): boolean => (scores[a] as number) < (scores[b] as number) || ((scores[a] as number) === (scores[b] as number) && a > b);
  const sink = (start: number): void => {
    const id = heap[start] as number;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && worse(heap[child + 1] as number, heap[child] as number)) child++;
      if (!worse(heap[child] as number, id)) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = id;
  };
  for (let i = 0; i < k; i++) heap[i] = i;
  for (let i = (k >> 1) - 1; i >= 0; i--) sink(i);
  for (let id = k; id < scores.length; id++) {
    if (!worse(heap[0] as number, id)) continue;
    heap[0] = id;
    sink(0);
  }
  return heap;
}
