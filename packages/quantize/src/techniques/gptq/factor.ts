/** The triangular factor of a damped Gram matrix, which rounding with feedback, GPTAQ and corrected targets share. */
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
export function factorGram({ kernels, threads }: Compute, gram: Float32Array, order: Uint32Array, damping: number): GramFactor | undefined {
  const k = order.length;
  let mean = 0;
  for (let i = 0; i < k; i++) mean += (gram[i * k + i] as number) / k;
  if (!(mean > 0 && mean < Infinity)) return undefined;
  const lower = new Float32Array(k * k);
  for (const step of LADDER) {
    const used = damping * step;
    reversePermute(gram, order, lower);
    for (let c = 0; c < k; c++) lower[c * k + c] = (lower[c * k + c] as number) + used * mean;
    if (kernels.algebra.cholesky(lower, k, threads) === -1) return { k, lower, order, damping: used };
  }
  return undefined;
}

/** What a unit error of step s adds to the target of step t > s: fp32 [k, k], zero elsewhere. */
export function feedbackOf({ k, lower }: GramFactor): Float32Array {
  const feedback = new Float32Array(k * k);
  for (let s = 0; s < k; s++) {
    const row = (k - 1 - s) * k;
    for (let t = s + 1; t < k; t++) feedback[s * k + t] = (lower[row + k - 1 - t] as number) / (lower[(k - 1 - t) * k + k - 1 - t] as number);
  }
  return feedback;
}

/** b (H + damping)^-1 for each row of b [rows, k], columns in their own order. */
export function solveDamped({ kernels, threads }: Compute, { k, lower, order }: GramFactor, b: Float32Array): Float32Array {
  const rows = b.length / k;
  const permuted = new Float32Array(b.length);
  for (let row = 0; row < rows; row++) for (let c = 0; c < k; c++) permuted[row * k + c] = b[row * k + (order[k - 1 - c] as number)] as number;
  kernels.algebra.solveLower(lower, k, permuted, rows, { threads });
  kernels.algebra.solveLower(lower, k, permuted, rows, { transpose: true, threads });
  const solution = new Float32Array(b.length);
  for (let row = 0; row < rows; row++) for (let c = 0; c < k; c++) solution[row * k + (order[k - 1 - c] as number)] = permuted[row * k + c] as number;
  return solution;
}

function reversePermute(gram: Float32Array, order: Uint32Array, out: Float32Array): void {
  const k = order.length;
  const reversed = order.slice().reverse();
  for (let r = 0; r < k; r++) {
    const row = (reversed[r] as number) * k;
    for (let c = 0; c < k; c++) out[r * k + c] = gram[row + (reversed[c] as number)] as number;
  }
}
