/** Collects row comparisons into the numbers of a result, in float64 and in the order of the rows. */
import type { RowComparison } from './compare.js';

export interface Metrics {
  /** Scored positions. */
  readonly positions: number;
  /** Mean -log p of the text's own tokens, nats, and its exponential. */
  readonly nll: number;
  readonly perplexity: number;
  readonly teacherPerplexity: number;
  /** exp(mean difference of nll): perplexity over teacherPerplexity on paired positions. */
  readonly perplexityRatio: number;
  /** KL(teacher || student) over the positions, nats. Percentiles by nearest rank. */
  readonly kl: { readonly mean: number; readonly median: number; readonly p99: number; readonly max: number };
  readonly reverseKlMean: number;
  /** Share of positions at which both put the same token first. */
  readonly top1Agreement: number;
}

export class Summary {
  #kls = new Float64Array(1024);
  #positions = 0;
  #studentNll = 0;
  #teacherNll = 0;
  #kl = 0;
  #reverseKl = 0;
  #agreements = 0;

  add(row: RowComparison): void {
    if (this.#positions === this.#kls.length) {
      const grown = new Float64Array(this.#kls.length * 2);
      grown.set(this.#kls);
      this.#kls = grown;
    }
    this.#kls[this.#positions++] = row.kl;
    this.#studentNll += row.studentNll;
    this.#teacherNll += row.teacherNll;
    this.#kl += row.kl;
    this.#reverseKl += row.reverseKl;
    if (row.agree) this.#agreements++;
  }

  /** The numbers so far; NaN when no row was added. */
  metrics(): Metrics {
    const n = this.#positions;
    const sorted = this.#kls.slice(0, n).sort();
    const nll = this.#studentNll / n;
    const teacherNll = this.#teacherNll / n;
    return {
      positions: n,
      nll,
      perplexity: Math.exp(nll),
      teacherPerplexity: Math.exp(teacherNll),
      perplexityRatio: Math.exp(nll - teacherNll),
      kl: { mean: this.#kl / n, median: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) },
      reverseKlMean: this.#reverseKl / n,
      top1Agreement: this.#agreements / n,
    };
  }
}

// Nearest rank: the smallest value that at least the given share of all values does not exceed.
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
