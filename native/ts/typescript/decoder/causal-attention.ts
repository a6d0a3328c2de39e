/** Causal attention in TypeScript, one query at a time, with the operation order of the addon. */
import { fma32 } from '../fused-multiply-add.js';
import { exponential } from './exponential.js';
import { treeSum } from './lanes.js';

const { fround } = Math;

/** Partial sums of the exponentials, by token mod PARTS. */
const PARTS = 8;

export function causalAttention(q: Float32Array, k: Float32Array, v: Float32Array, out: Float32Array, tokens: number, heads: number, kvHeads: number, headDim: number, scale: number): void {
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor(head / (heads / kvHeads));
    const past = (x: Float32Array, token: number): Float32Array => x.subarray((token * kvHeads + kvHead) * headDim, (token * kvHeads + kvHead + 1) * headDim);
    for (let token = 0; token < tokens; token++) {
      const at = (token * heads + head) * headDim;
      const query = q.subarray(at, at + headDim);
      const weights = Float32Array.from({ length: token + 1 }, (_, j) => fround(dot(query, past(k, j)) * scale));
      const sum = exponentiate(weights);
      const context = out.subarray(at, at + headDim).fill(0);
      weights.forEach((weight, j) => addScaled(context, weight, past(v, j)));
      for (let c = 0; c < headDim; c++) context[c] = (context[c] as number) / sum;
    }
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let chain = 0;
  for (let i = 0; i < a.length; i++) chain = fma32(a[i] as number, b[i] as number, chain);
  return chain;
}

function addScaled(chains: Float32Array, weight: number, row: Float32Array): void {
  for (let c = 0; c < row.length; c++) chains[c] = fma32(weight, row[c] as number, chains[c] as number);
}

/** Replaces scores by exp(score - largest). @returns their sum */
function exponentiate(scores: Float32Array): number {
  let largest = -Infinity;
  for (const score of scores) if (score > largest) largest = score;
  const sums = new Float32Array(PARTS);
  scores.forEach((score, j) => {
    const value = exponential(fround(score - largest));
    scores[j] = value;
    sums[j % PARTS] = fround((sums[j % PARTS] as number) + value);
  });
  return treeSum(sums);
}
