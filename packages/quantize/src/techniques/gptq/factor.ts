/** The triangular factor of a damped Gram matrix, which rounding with feedback, GPTAQ and corrected targets share. */
import { releasing, takeFloats } from '../../float-stack.js';
import type { Compute } from '../weight-matrix.js';

/**
 * Lower L with L L' = H + damping · mean(diag H) · I, rows and columns in reversed order of the steps: index c stands for
 * column order[k - 1 - c]. Reversed, because feedback then needs no inverse: step s hears of the steps before it through
 * row entries of L alone.
 */
export interface GramFactor {
  readonly k: number;
  /** fp32 [k, k]. */
  readonly lower: Float32Array;
  /** Column of each step. */
  readonly order: Uint32Array;
  /** The damping that was enough, in parts of the mean diagonal. */
  readonly damping: number;
}

/** What the damping is multiplied with until the matrix is positive definite. */
const LADDER: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 1000, 10_000];

/** Columns by falling diagonal (act-order), or in their own order. Equal diagonals keep their order. */
export function stepOrder(gram: Float32Array, k: number, actOrder: boolean): Uint32Array {
  const order = Uint32Array.from({ length: k }, (_, column) => column);
  return actOrder ? order.sort((a, b) => (gram[b * k + b] as number) - (gram[a * k + a] as number) || a - b) : order;
}

/**
 * Never throws for a matrix that is hard: the damping grows until a factor exists.
 *
 * @returns undefined when no damping helps: the matrix is zero, or holds NaN or infinity
 */
export function factorGram(compute: Compute, gram: Float32Array, order: Uint32Array, damping: number): GramFactor | undefined {
  const k = order.length;
  let mean = 0;
  for (let i = 0; i < k; i++) mean += (gram[i * k + i] as number) / k;
  if (!(mean > 0 && mean < Infinity)) return undefined;
  const { kernels: { algebra }, threads } = compute;
  const reversed = order.slice().reverse();
  const lower = takeFloats(compute.stack, k * k);
  for (const step of LADDER) {
    const used = damping * step;
    algebra.gather(lower, gram, { rows: reversed, columns: reversed }, threads);
    for (let c = 0; c < k; c++) lower[c * k + c] = (lower[c * k + c] as number) + used * mean;
    if (algebra.cholesky(lower, k, threads) === -1) return { k, lower, order, damping: used };
  }
  return undefined;
}

/** What a unit error of step s adds to the target of step t > s: fp32 [k, k], zero elsewhere. */
export function feedbackOf(compute: Compute, { k, lower }: GramFactor): Float32Array {
  const feedback = takeFloats(compute.stack, k * k);
  for (let s = 0; s < k; s++) {
    const row = (k - 1 - s) * k;
    feedback.fill(0, s * k, s * k + s + 1);
    for (let t = s + 1; t < k; t++) feedback[s * k + t] = (lower[row + k - 1 - t] as number) / (lower[(k - 1 - t) * k + k - 1 - t] as number);
  }
  return feedback;
}

/** b (H + damping)^-1 for each row of b [rows, k], columns in their own order: in place. */
export function solveDamped(compute: Compute, { k, lower, order }: GramFactor, b: Float32Array): Float32Array {
  const { kernels: { algebra }, threads } = compute;
  const rows = b.length / k;
  const reversed = order.slice().reverse();
  const back = new Uint32Array(k);
  reversed.forEach((column, c) => { back[column] = c; });
  releasing(compute.stack, () => {
    const permuted = takeFloats(compute.stack, b.length);
    algebra.gather(permuted, b, { columns: reversed }, threads);
    algebra.solveLower(lower, k, permuted, rows, { threads });
    algebra.solveLower(lower, k, permuted, rows, { transpose: true, threads });
    algebra.gather(b, permuted, { columns: back }, threads);
  });
  return b;
}
