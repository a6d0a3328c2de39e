/**
 * Byte-pair encoding of one word: the pair of the lowest rank is merged first, the leftmost of equals.
 * Linear memory and n log n time, since tokenizers without a pre-tokenizer hand over a whole text as one word.
 */

/** Positions fit below this factor, so rank and position make one exact number. */
const POSITIONS = 2 ** 31;

export class BytePairEncoder {
  private readonly size: number;
  /** Rank of a pair, keyed by left id * size + right id. */
  private readonly ranks = new Map<number, number>();
  private readonly merged: Int32Array;

  /** @param merges pairs in the order of their rank; both sides and the result are in the vocabulary */
  constructor(
    private readonly vocabulary: ReadonlyMap<string, number>,
    merges: readonly (readonly [string, string])[],
    private readonly tokens: readonly (string | undefined)[],
    private readonly ignoreMerges: boolean,
  ) {
    this.size = tokens.length;
    this.merged = new Int32Array(merges.length);
    for (const [rank, [left, right]] of merges.entries()) {
      this.ranks.set(this.idOf(left) * this.size + this.idOf(right), rank);
      this.merged[rank] = this.idOf(left + right);
    }
  }

  /** @returns tokens of the vocabulary, and single characters that are not in it */
  encode(word: string): readonly string[] {
    if (this.ignoreMerges && this.vocabulary.has(word)) return [word];
    return this.merge(Array.from(word));
  }

  private merge(characters: readonly string[]): string[] {
    const count = characters.length;
    const ids = Int32Array.from(characters, (character) => this.idOf(character));
    const next = Int32Array.from(characters, (_, i) => (i + 1 < count ? i + 1 : -1));
    const previous = Int32Array.from(characters, (_, i) => i - 1);
    const queue = new NumberHeap();
    const offer = (left: number): void => {
      const rank = this.rankAt(left, ids, next);
      if (rank !== undefined) queue.push(rank * POSITIONS + left);
    };
    for (let i = 0; i + 1 < count; i++) offer(i);
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
      const rank = Math.floor(key / POSITIONS);
      const left = key - rank * POSITIONS;
      // The neighbours may have been merged since this pair was queued.
      if (this.rankAt(left, ids, next) !== rank) continue;
      const right = next[left] ?? -1;
      const after = next[right] ?? -1;
      ids[left] = this.merged[rank] ?? -1;
      ids[right] = -1;
      next[right] = -1;
      next[left] = after;
      if (after >= 0) previous[after] = left;
      const before = previous[left] ?? -1;
      if (before >= 0) offer(before);
      offer(left);
    }
    const result: string[] = [];
    for (let i = count > 0 ? 0 : -1; i >= 0; i = next[i] ?? -1) result.push(this.tokens[ids[i] ?? -1] ?? characters[i] ?? '');
    return result;
  }

  private rankAt(left: number, ids: Int32Array, next: Int32Array): number | undefined {
    const right = next[left] ?? -1;
    const a = ids[left] ?? -1;
    const b = right < 0 ? -1 : (ids[right] ?? -1);
    return a < 0 || b < 0 ? undefined : this.ranks.get(a * this.size + b);
  }

  private idOf(token: string): number {
    return this.vocabulary.get(token) ?? -1;
  }
}

/** A binary heap of numbers, smallest first. */
class NumberHeap {
  private readonly items: number[] = [];

  push(item: number): void {
    const { items } = this;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] ?? 0;
      if (above <= item) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if ((items[child + 1] ?? Infinity) < (items[child] ?? 0)) child += 1;
      const below = items[child] ?? 0;
      if (below >= last) break;
      items[at] = below;
      at = child;
    }
    items[at] = last;
    return top;
  }
}
