/** Collects row comparisons into the numbers of a result, in float64 and in the order of the rows. */
import { bootstrapError, clusterMean } from './bootstrap.js';
import type { RowComparison } from './compare.js';

/** Sums over the scored positions of one window, nats: what two results are paired by. */
export interface WindowSums {
  readonly positions: number;
  readonly nll: number;
  readonly teacherNll: number;
  readonly kl: number;
}

/** Standard errors are null with fewer than two windows. Percentiles are by nearest rank. */
export interface Metrics {
  /** Scored positions. */
  readonly positions: number;
  /** Mean -log p of the text's own tokens, nats, and its exponential; the mean is that of the protocol. */
  readonly nll: number;
  readonly perplexity: number;
  readonly teacherPerplexity: number;
  /** Mean of nll - teacherNll over the same positions; the error is that of a bootstrap over windows. */
  readonly deltaNll: { readonly mean: number; readonly standardError: number | null };
  /** exp(deltaNll): perplexity over teacherPerplexity, and the error of the same bootstrap. */
  readonly perplexityRatio: number;
  readonly perplexityRatioError: number | null;
  /** KL(teacher || student) over the positions, nats. */
  readonly kl: { readonly mean: number; readonly median: number; readonly p99: number; readonly p999: number; readonly max: number };
  readonly reverseKlMean: number;
  /** Share of positions at which both put the same token first, and the number at which they do not. */
  readonly top1Agreement: number;
  readonly flips: number;
  /** Root of the mean square of p(student) - p(teacher) of the text's own token. */
  readonly rmsDeltaP: number;
  readonly windows: readonly WindowSums[];
}

/** Memory: one number a position, four a window. */
export class Summary {
  #kls = new Float64Array(1024);
  #positions = 0;
  #reverseKl = 0;
  #flips = 0;
  #squares = 0;
  #window: { positions: number; nll: number; teacherNll: number; kl: number } = { positions: 0, nll: 0, teacherNll: 0, kl: 0 };
  readonly #windows: WindowSums[] = [];

  add(row: RowComparison): void {
    if (this.#positions === this.#kls.length) {
      const grown = new Float64Array(this.#kls.length * 2);
      grown.set(this.#kls);
      this.#kls = grown;
    }
    this.#kls[this.#positions++] = row.kl;
    this.#reverseKl += row.reverseKl;
    this.#squares += (Math.exp(-row.studentNll) - Math.exp(-row.teacherNll)) ** 2;
    if (!row.agree) this.#flips++;
    const window = this.#window;
    window.positions++;
    window.nll += row.studentNll;
    window.teacherNll += row.teacherNll;
    window.kl += row.kl;
  }

  /** What was added since the last call is one window. */
  endWindow(): void {
    if (this.#window.positions === 0) return;
    this.#windows.push(this.#window);
    this.#window = { positions: 0, nll: 0, teacherNll: 0, kl: 0 };
  }

  /** The numbers of all ended windows; NaN when there is none. */
  metrics(mean: 'positions' | 'windows'): Metrics {
    const n = this.#positions;
    const sorted = this.#kls.slice(0, n).sort();
    const clusters = (sum: (window: WindowSums) => number) => this.#windows.map((window) => ({ sum: sum(window), count: window.positions }));
    const nll = clusterMean(clusters((window) => window.nll), mean);
    const differences = clusters((window) => window.nll - window.teacherNll);
    const delta = clusterMean(differences, mean);
    return {
      positions: n,
      nll,
      perplexity: Math.exp(nll),
      teacherPerplexity: Math.exp(clusterMean(clusters((window) => window.teacherNll), mean)),
      deltaNll: { mean: delta, standardError: bootstrapError(differences, mean) },
      perplexityRatio: Math.exp(delta),
      perplexityRatioError: bootstrapError(differences, mean, Math.exp),
      kl: { mean: this.#windows.reduce((sum, { kl }) => sum + kl, 0) / n, median: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), p999: percentile(sorted, 0.999), max: percentile(sorted, 1) },
      reverseKlMean: this.#reverseKl / n,
      top1Agreement: (n - this.#flips) / n,
      flips: this.#flips,
      rmsDeltaP: Math.sqrt(this.#squares / n),
      windows: this.#windows,
    };
  }
}

// Nearest rank: the smallest value that at least the given share of all values does not exceed.
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
