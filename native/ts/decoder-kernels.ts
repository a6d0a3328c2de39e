/** Norm, rotation, attention and activation of a decoder block: the contract, and argument checks in front of both implementations. */
import { check, checkApart, checkLength, checkSizes, threadCount } from './argument-checks.js';

/** Most heads, and most columns of a head: what the addon can multiply without overflow. */
const MAX_HEADS = 65536;

/** Heads of one window of tokens; query head i reads key and value head floor(i / (heads / kvHeads)). */
export interface AttentionShape {
  readonly tokens: number;
  readonly heads: number;
  /** Divides `heads`. */
  readonly kvHeads: number;
  readonly headDim: number;
}

/**
 * Kernels over one window of fp32 tokens, row-major. As with all kernels, results do not depend on the implementation, the
 * instruction set or `threads` (default 2): every element is one chain of fp32 operations, and exp is this package's own.
 * Every method throws KERNEL_ARGUMENT when arguments do not fit.
 */
export interface DecoderKernels {
  /**
   * y = (x / sqrt(mean(x²) + epsilon)) · gain over rows as wide as `gain`; 16 partial sums of squares by column mod 16,
   * added as a tree.
   * @param x [rows, gain.length]: tokens, or the heads of tokens
   * @param out of the length of `x`, for the result; without it that is new
   * @returns [rows, gain.length]
   */
  rmsNorm(x: Float32Array, gain: Float32Array, epsilon: number, threads?: number, out?: Float32Array): Float32Array;

  /**
   * Rotates every head of every token in place: halves (a, b) -> (a·cos - b·sin, a·sin + b·cos), each operation rounded.
   * The layout is that of Hugging Face Llama (modeling_llama.py, rotate_half).
   * @param x [tokens, heads, headDim]; cos and sin [tokens, headDim/2]
   */
  rotate(x: Float32Array, tokens: number, headDim: number, cos: Float32Array, sin: Float32Array, threads?: number): void;

  /**
   * softmax(q·kᵀ / sqrt(headDim)) · v, token i over tokens 0..i. Scores and sums over tokens are chains of fused
   * multiply-adds over ascending index; the sum of the exponentials has 8 parts by token mod 8; the division comes last.
   * @param q [tokens, heads, headDim]; k and v [tokens, kvHeads, headDim]
   * @param out of the length of `q`, for the result; without it that is new
   * @returns [tokens, heads, headDim]
   */
  causalAttention(q: Float32Array, k: Float32Array, v: Float32Array, shape: AttentionShape, threads?: number, out?: Float32Array): Float32Array;

  /** gate = silu(gate) · up in place, silu(x) = x / (1 + exp(-x)). @param up of the length of `gate` */
  siluMultiply(gate: Float32Array, up: Float32Array, threads?: number): void;

  /** x += addend in place. @param addend of the length of `x`, or one row that is added to all rows of x, like a bias */
  add(x: Float32Array, addend: Float32Array, threads?: number): void;

  /**
   * From a = gate, b = up and the gradient dz of silu(a) b to da = dz b s (1 + a (1 - s)) and db = dz a s, s = 1 / (1 + exp(-a)),
   * in the places of gate and up. @param up, gradient of the length of `gate`
   */
  siluMultiplyBackward(gate: Float32Array, up: Float32Array, gradient: Float32Array, threads?: number): void;

  /**
   * Row i of scores q·kᵀ [tokens, tokens] of one head becomes p = softmax(scale · scores) over tokens 0..i, and the gradient dp
   * that of the scores, scale · p (dp - sum p dp); both are 0 behind token i. Sums have 16 parts by token mod 16, added as a tree.
   */
  causalSoftmaxBackward(scores: Float32Array, gradient: Float32Array, tokens: number, scale: number, threads?: number): void;
}

/** Entry points that write into arrays of the right size; both implementations have exactly these. */
export interface RawDecoderKernels {
  rmsNorm(x: Float32Array, gain: Float32Array, epsilon: number, out: Float32Array, rows: number, columns: number, threads: number): void;
  rotate(x: Float32Array, cos: Float32Array, sin: Float32Array, tokens: number, heads: number, headDim: number, threads: number): void;
  causalAttention(q: Float32Array, k: Float32Array, v: Float32Array, out: Float32Array, tokens: number, heads: number, kvHeads: number, headDim: number, scale: number, threads: number): void;
  siluMultiply(gate: Float32Array, up: Float32Array, threads: number): void;
  /** `addend` [columns] goes to every row of x [rows, columns]. */
  add(x: Float32Array, addend: Float32Array, rows: number, columns: number, threads: number): void;
  siluMultiplyBackward(gate: Float32Array, up: Float32Array, gradient: Float32Array, threads: number): void;
  causalSoftmaxBackward(scores: Float32Array, gradient: Float32Array, tokens: number, scale: number, threads: number): void;
}

export function checkedDecoderKernels(raw: RawDecoderKernels): DecoderKernels {
  return {
    rmsNorm(x, gain, epsilon, threads, out = new Float32Array(x.length)) {
      const rows = wholeRows('rmsNorm', 'x', x.length, gain.length);
      const usable = epsilon >= 0 && epsilon < Infinity;
      check('rmsNorm', usable, `epsilon is ${epsilon}, not a finite number of at least 0`);
      checkResult('rmsNorm', out, x.length, [x, gain]);
      raw.rmsNorm(x, gain, Math.fround(epsilon), out, rows, gain.length, threadCount('rmsNorm', threads));
      return out;
    },
    rotate(x, tokens, headDim, cos, sin, threads) {
      checkSizes('rotate', { tokens, headDim });
      check('rotate', headDim > 0 && headDim % 2 === 0, `headDim is ${headDim}, not a positive even number`);
      checkLength('rotate', 'cos', cos.length, (tokens * headDim) / 2);
      checkLength('rotate', 'sin', sin.length, (tokens * headDim) / 2);
      const heads = tokens === 0 ? 0 : wholeRows('rotate', 'x', x.length, tokens * headDim);
      checkLength('rotate', 'x', x.length, tokens * heads * headDim);
      raw.rotate(x, cos, sin, tokens, heads, headDim, threadCount('rotate', threads));
    },
    causalAttention(q, k, v, { tokens, heads, kvHeads, headDim }, threads, out = new Float32Array(q.length)) {
      checkSizes('causalAttention', { tokens, heads, kvHeads, headDim });
      check('causalAttention', headDim > 0 && kvHeads > 0 && heads % kvHeads === 0, `heads ${heads} must be a multiple of kvHeads ${kvHeads}, and headDim ${headDim} positive`);
      check('causalAttention', heads <= MAX_HEADS && headDim <= MAX_HEADS, `there are ${heads} heads of ${headDim} columns, at most ${MAX_HEADS} of each are possible`);
      checkLength('causalAttention', 'q', q.length, tokens * heads * headDim);
      checkLength('causalAttention', 'k', k.length, tokens * kvHeads * headDim);
      checkLength('causalAttention', 'v', v.length, tokens * kvHeads * headDim);
      checkResult('causalAttention', out, q.length, [q, k, v]);
      raw.causalAttention(q, k, v, out, tokens, heads, kvHeads, headDim, Math.fround(1 / Math.sqrt(headDim)), threadCount('causalAttention', threads));
      return out;
    },
    siluMultiply(gate, up, threads) {
      checkLength('siluMultiply', 'up', up.length, gate.length);
      raw.siluMultiply(gate, up, threadCount('siluMultiply', threads));
    },
    add(x, addend, threads) {
      const rows = x.length === 0 && addend.length === 0 ? 0 : wholeRows('add', 'x', x.length, addend.length);
      raw.add(x, addend, rows, addend.length, threadCount('add', threads));
    },
    siluMultiplyBackward(gate, up, gradient, threads) {
      checkLength('siluMultiplyBackward', 'up', up.length, gate.length);
      checkLength('siluMultiplyBackward', 'gradient', gradient.length, gate.length);
      raw.siluMultiplyBackward(gate, up, gradient, threadCount('siluMultiplyBackward', threads));
    },
    causalSoftmaxBackward(scores, gradient, tokens, scale, threads) {
      checkSizes('causalSoftmaxBackward', { tokens });
      checkLength('causalSoftmaxBackward', 'scores', scores.length, tokens * tokens);
      checkLength('causalSoftmaxBackward', 'gradient', gradient.length, tokens * tokens);
      raw.causalSoftmaxBackward(scores, gradient, tokens, Math.fround(scale), threadCount('causalSoftmaxBackward', threads));
    },
  };
}

function checkResult(kernel: string, out: Float32Array, length: number, read: readonly Float32Array[]): void {
  checkLength(kernel, 'out', out.length, length);
  for (const array of read) checkApart(kernel, out, array);
}

function wholeRows(kernel: string, name: string, length: number, columns: number): number {
  check(kernel, columns > 0 && length % columns === 0, `${name} has ${length} elements, which is no whole number of rows of ${columns}`);
  return length / columns;
}
