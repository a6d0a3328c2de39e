/** The backward pass of causal attention, a head at a time, through the rotations to the results of q, k and v. */
import { hadamardMatrix } from '@tundish/graph';
import type { AttentionHeads, BlockContext } from './block-forward.js';
import type { RopeTables } from './block-weights.js';

/**
 * The probabilities P of a head are computed again; with dO its output's gradient, dV = Pᵀ dO, dP = dO Vᵀ, dS = P (dP - rowsum(P dP)),
 * dQ = dS K / sqrt(headDim), dK = dSᵀ Q / sqrt(headDim). Keys and values collect the gradients of all heads that read them.
 *
 * @param gradient of the attention's output [tokens, heads · headDim]
 * @returns gradients of the results of the projections, in the shapes of the heads
 */
export function attentionBackward(context: BlockContext, { q, k, v }: AttentionHeads, gradient: Float32Array, rope: RopeTables): AttentionHeads {
  const { kernels: { algebra, decoder }, shape: { heads, kvHeads, headDim }, threads } = context;
  const tokens = q.length / (heads * headDim);
  const grads = { q: new Float32Array(q.length), k: new Float32Array(k.length), v: new Float32Array(v.length) };
  const [scores, slopes] = [new Float32Array(tokens * tokens), new Float32Array(tokens * tokens)];
  const square = { m: tokens, n: tokens, k: headDim, transposeB: true };
  const tall = { m: tokens, n: headDim, k: tokens };
  for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
    const [keys, values] = [gather(k, kvHeads, kvHead, headDim), gather(v, kvHeads, kvHead, headDim)];
    const [dKeys, dValues] = [new Float32Array(keys.length), new Float32Array(values.length)];
    for (let head = kvHead * (heads / kvHeads); head < (kvHead + 1) * (heads / kvHeads); head++) {
      const [queries, dOut] = [gather(q, heads, head, headDim), gather(gradient, heads, head, headDim)];
      algebra.multiplyInto(scores, queries, keys, square, threads);
      algebra.multiplyInto(slopes, dOut, values, square, threads);
      decoder.causalSoftmaxBackward(scores, slopes, tokens, 1 / Math.sqrt(headDim), threads);
      algebra.accumulateCross(dValues, scores, dOut, tokens, tokens, headDim, threads);
      algebra.accumulateCross(dKeys, slopes, queries, tokens, tokens, headDim, threads);
      const dQueries = new Float32Array(queries.length);
      algebra.multiplyInto(dQueries, slopes, keys, tall, threads);
      scatter(dQueries, grads.q, heads, head, headDim);
    }
    scatter(dKeys, grads.k, kvHeads, kvHead, headDim);
    scatter(dValues, grads.v, kvHeads, kvHead, headDim);
  }
  return { q: rotateBack(context, grads.q, tokens, rope), k: rotateBack(context, grads.k, tokens, rope), v: grads.v };
}

/** The transposes of the rotations, in the other order: behind x · Hᵀ comes dx · H, behind an angle the angle back. */
function rotateBack({ kernels, shape: { headDim, rotatesHeads }, threads }: BlockContext, gradient: Float32Array, tokens: number, { cos, sin }: RopeTables): Float32Array {
  const turned = rotatesHeads === true ? kernels.sgemm(gradient, hadamardMatrix(headDim), gradient.length / headDim, headDim, headDim, { threads }) : gradient;
  const size = (tokens * headDim) / 2;
  kernels.decoder.rotate(turned, tokens, headDim, cos.subarray(0, size), sin.subarray(0, size).map((value) => -value), threads);
  return turned;
}

/** One of `heads` heads of x [tokens, heads, headDim] as rows of its own. */
function gather(x: Float32Array, heads: number, head: number, headDim: number): Float32Array {
  const rows = new Float32Array(x.length / heads);
  for (let at = 0; at < rows.length; at += headDim) rows.set(x.subarray(at * heads + head * headDim, at * heads + (head + 1) * headDim), at);
  return rows;
}

function scatter(rows: Float32Array, x: Float32Array, heads: number, head: number, headDim: number): void {
  for (let at = 0; at < rows.length; at += headDim) x.set(rows.subarray(at, at + headDim), at * heads + head * headDim);
}
