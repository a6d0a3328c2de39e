/** GPTAQ (Li et al. 2025): GPTQ that also makes good what the inputs lost before they came to the layer. */
import type { ScaleGrid } from '@tundish/native';
import type { GramFactor } from '../gptq/factor.js';
import type { Compute, LayerWeight } from '../weight-matrix.js';

/**
 * GPTQ's own recursion with the residual P = alpha · triu(dXX U', 1) U, U'U = (H + damping)^-1; the residual uses each
 * column as it was before rounding, as in the paper (the published code uses rounded ones behind a block of 128). With
 * equal inputs, or alpha 0, P is zero.
 *
 * @param difference fp32 [k, k] (Xf - X)'X / tokens: rows are the differences
 * @returns int8 codes [n, k]
 */
export function gptaq(compute: Compute, { w, n, k }: LayerWeight, grid: ScaleGrid, factor: GramFactor, difference: Float32Array, alpha: number): Int8Array {
  const { kernels, threads } = compute;
  return kernels.solvers.roundWithFeedback({
    w, n, k, grid, order: factor.order, feedback: recursionOf(compute, factor), residual: residualOf(compute, factor, difference, alpha), errorFrom: 'target', threads,
  });
}

/** -U[s][t] / U[s][s] for t > s: what GPTQ's recursion adds to a later target for a unit error. */
function recursionOf({ kernels, threads }: Compute, { k, lower }: GramFactor): Float32Array {
  const u = new Float32Array(k * k);
  for (let s = 0; s < k; s++) u[s * k + k - 1 - s] = 1;
  kernels.algebra.solveLower(lower, k, u, k, { transpose: true, threads });
  return fromReversed(u, k, (value, s) => -value / (u[s * k + k - 1 - s] as number));
}

function residualOf({ kernels, threads }: Compute, { k, lower, order }: GramFactor, difference: Float32Array, alpha: number): Float32Array {
  const p = new Float32Array(k * k);
  kernels.algebra.gather(p, difference, { rows: order, columns: order.slice().reverse() }, threads);
  kernels.algebra.solveLower(lower, k, p, k, { threads });
  for (let s = 0; s < k; s++) p.fill(0, s * k + k - 1 - s, (s + 1) * k);
  kernels.algebra.solveLower(lower, k, p, k, { transpose: true, threads });
  return fromReversed(p, k, (value) => alpha * value);
}

/** Strictly upper part in the order of the steps, of a matrix whose columns are reversed. */
function fromReversed(matrix: Float32Array, k: number, change: (value: number, step: number) => number): Float32Array {
  const out = new Float32Array(k * k);
  for (let s = 0; s < k; s++) for (let t = s + 1; t < k; t++) out[s * k + t] = change(matrix[s * k + k - 1 - t] as number, s);
  return out;
}
