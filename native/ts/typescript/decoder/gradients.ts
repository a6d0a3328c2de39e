/** Gradients of gated activation and causal softmax in TypeScript, with the operation order of the addon. */
import { fma32 } from '../fused-multiply-add.js';
import { exponential } from './exponential.js';
import { LANES, treeSum } from './lanes.js';

const { fround } = Math;

export function siluMultiplyBackward(gate: Float32Array, up: Float32Array, gradient: Float32Array): void {
  for (let i = 0; i < gate.length; i++) {
    const [a, b, dz] = [gate[i] as number, up[i] as number, gradient[i] as number];
    const gated = fround(1 / fround(1 + exponential(-a)));
    gate[i] = fround(dz * b) * fround(gated * fround(1 + fround(a * fround(1 - gated))));
    up[i] = dz * fround(a * gated);
  }
}

export function causalSoftmaxBackward(scores: Float32Array, gradient: Float32Array, tokens: number, scale: number): void {
  for (let row = 0; row < tokens; row++) {
    const [p, dp] = [scores, gradient].map((all) => all.subarray(row * tokens, row * tokens + row + 1)) as [Float32Array, Float32Array];
    let largest = -Infinity;
    p.forEach((score, i) => {
      p[i] = score * scale;
      if ((p[i] as number) > largest) largest = p[i] as number;
    });
    const sums = new Float32Array(LANES);
    p.forEach((score, i) => {
      p[i] = exponential(fround(score - largest));
      sums[i % LANES] = (sums[i % LANES] as number) + (p[i] as number);
    });
    const sum = treeSum(sums);
    const products = new Float32Array(LANES);
    p.forEach((value, i) => {
      p[i] = value / sum;
      products[i % LANES] = fma32(p[i] as number, dp[i] as number, products[i % LANES] as number);
    });
    const mean = treeSum(products);
    p.forEach((value, i) => { dp[i] = fround(value * fround((dp[i] as number) - mean)) * scale; });
    for (const all of [scores, gradient]) all.fill(0, row * tokens + row + 1, (row + 1) * tokens);
  }
}
