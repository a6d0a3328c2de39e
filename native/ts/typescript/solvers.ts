/** Rounding with feedback and coordinate descent in TypeScript, operation for operation those of the addon (src/solvers). */
import { fma32 } from './fused-multiply-add.js';
import { clampRound } from './ranges.js';

const { fround } = Math;

/** Columns that are solved one by one before the rest hears of them; the addon's kSteps. */
const STEPS = 128;

export function roundToGrid(w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, codes: Int8Array): void {
  const bound = 2 ** (bits - 1);
  for (let i = 0; i < n * k; i++) codes[i] = clampRound(fround((w[i] as number) / (scale[Math.floor(i / block)] as number)), -bound, bound - 1);
}

export function valuesOnGrid(codes: Int8Array, scale: Float32Array, block: number, out: Float32Array): void {
  for (let i = 0; i < codes.length; i++) out[i] = (codes[i] as number) * (scale[Math.floor(i / block)] as number);
}

/** target[t] += matrix(s, t) * amount for t in [from, to), where row s of the matrix begins at `row`. */
function feed(target: Float32Array, matrix: Float32Array, row: number, amount: number, from: number, to: number): void {
  for (let t = from; t < to; t++) target[t] = fma32(matrix[row + t] as number, amount, target[t] as number);
}

export function roundWithFeedback(
  w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, order: Uint32Array, feedback: Float32Array, residual: Float32Array | null, fromTarget: boolean, codes: Int8Array,
): void {
  const bound = 2 ** (bits - 1);
  const errors = new Float32Array(k);
  for (let row = 0; row < n; row++) {
    const target = Float32Array.from(order, (column) => w[row * k + column] as number);
    for (let from = 0; from < k; from += STEPS) {
      const to = Math.min(from + STEPS, k);
      for (let s = from; s < to; s++) {
        const column = order[s] as number;
        const size = scale[(row * k + column - (column % block)) / block] as number;
        const before = target[s] as number;
        const code = clampRound(fround(before / size), -bound, bound - 1);
        codes[row * k + column] = code;
        errors[s] = fround((fromTarget ? before : (w[row * k + column] as number)) - fround(code * size));
        feed(target, feedback, s * k, errors[s] as number, s + 1, to);
        if (residual !== null) feed(target, residual, s * k, before, s + 1, to);
      }
      for (let s = from; s < to; s++) feed(target, feedback, s * k, errors[s] as number, to, k);
      if (residual !== null) for (let s = from; s < to; s++) feed(target, residual, s * k, target[s] as number, to, k);
    }
  }
}

export function descend(target: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, gram: Float32Array, codes: Int8Array, sweeps: number): void {
  const bound = 2 ** (bits - 1);
  const scaleAt = (row: number, c: number): number => scale[(row * k + c - (c % block)) / block] as number;
  const changes = new Float32Array(k);
  for (let row = 0; row < n; row++) {
    const value = Float32Array.from({ length: k }, (_, c) => (codes[row * k + c] as number) * scaleAt(row, c));
    const gradient = new Float32Array(k);
    for (let c = 0; c < k; c++) feed(gradient, gram, c * k, fround((value[c] as number) - (target[row * k + c] as number)), 0, k);
    for (let step = 0; step < sweeps * k; ) {
      const from = step % k;
      const to = Math.min(from + STEPS, k);
      for (let c = from; c < to; c++) {
        const old = value[c] as number;
        const diagonal = gram[c * k + c] as number;
        const moved = fround(old - fround((gradient[c] as number) / diagonal));
        const best = diagonal > 0 ? fround(clampRound(fround(moved / scaleAt(row, c)), -bound, bound - 1) * scaleAt(row, c)) : old;
        changes[c] = fround(best - old);
        value[c] = best;
        feed(gradient, gram, c * k, changes[c] as number, from, to);
      }
      for (let c = from; c < to; c++) {
        if (changes[c] === 0) continue;
        feed(gradient, gram, c * k, changes[c] as number, 0, from);
        feed(gradient, gram, c * k, changes[c] as number, to, k);
      }
      step += to - from;
    }
    for (let c = 0; c < k; c++) codes[row * k + c] = clampRound(fround((value[c] as number) / scaleAt(row, c)), -bound, bound - 1);
  }
}

export function rowLosses(e: Float32Array, n: number, k: number, gram: Float32Array, loss: Float64Array): void {
  for (let row = 0; row < n; row++) {
    const errors = e.subarray(row * k, (row + 1) * k);
    const product = new Float32Array(k);
    for (let c = 0; c < k; c++) feed(product, gram, c * k, errors[c] as number, 0, k);
    let sum = 0;
    for (let c = 0; c < k; c++) sum += (errors[c] as number) * (product[c] as number);
    loss[row] = sum;
  }
}
