/** Standard errors by resampling whole windows, since the tokens of one window are not independent of each other. */

/** Enough that the error of the error is about 2 %. */
const RESAMPLES = 1000;

/** Sums of one window: what a mean is made of. */
export interface Cluster {
  readonly sum: number;
  readonly count: number;
}

/** The mean of all elements, or the mean over clusters of the mean of each. NaN without elements. */
export function clusterMean(clusters: readonly Cluster[], mean: 'positions' | 'windows'): number {
  return meanOf(clusters, mean, (i) => i);
}

/**
 * Standard deviation of `statistic` of the mean over bootstrap samples of the clusters (Efron and Tibshirani, An Introduction
 * to the Bootstrap, 6.1), from a fixed seed: the same on every machine. Null with fewer than two clusters, which tell nothing.
 */
export function bootstrapError(clusters: readonly Cluster[], mean: 'positions' | 'windows', statistic: (mean: number) => number = (value) => value): number | null {
  const n = clusters.length;
  if (n < 2) return null;
  const draw = drawer(n);
  const values = new Float64Array(RESAMPLES);
  let total = 0;
  for (let r = 0; r < RESAMPLES; r++) {
    const value = statistic(meanOf(clusters, mean, draw));
    values[r] = value;
    total += value;
  }
  const centre = total / RESAMPLES;
  let squares = 0;
  for (const value of values) squares += (value - centre) ** 2;
  // A thousand equal numbers need not sum to a thousand times the number: equal samples have no spread.
  return values.every((value) => value === values[0]) ? 0 : Math.sqrt(squares / (RESAMPLES - 1));
}

function meanOf(clusters: readonly Cluster[], mean: 'positions' | 'windows', pick: (i: number) => number): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < clusters.length; i++) {
    const cluster = clusters[pick(i)] as Cluster;
    sum += mean === 'windows' ? cluster.sum / cluster.count : cluster.sum;
    count += mean === 'windows' ? 1 : cluster.count;
  }
  return sum / count;
}

/** Indices below n from SplitMix32 with a fixed seed; n is far below 2^32, so the scaling biases nothing that shows. */
function drawer(n: number): () => number {
  let state = 0x7c0ffee;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return Math.floor((((z ^ (z >>> 15)) >>> 0) / 2 ** 32) * n);
  };
}
