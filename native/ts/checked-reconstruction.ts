/** Argument checks in front of raw steps of learned weights, for the addon and the TypeScript reference alike. */
import { check, checkLength, threadCount } from './argument-checks.js';
import { checkBits, checkBlock, checkGrid, checkMatrix } from './checked-solvers.js';
import type { AdaScaleLayer, RawReconstruction, Reconstruction, SignRoundLayer } from './reconstruction.js';

const { fround } = Math;

export function checkedReconstruction(raw: RawReconstruction): Reconstruction {
  return {
    adaScaleGrid(layer) {
      checkAdaScale('adaScaleGrid', layer);
      const { n, k, block, bits, range, beta, gamma, threads } = layer;
      const scale = new Float32Array((n * k) / block);
      raw.adaScaleGrid(scale, bits, range, beta, gamma, threadCount('adaScaleGrid', threads));
      return scale;
    },
    adaScaleValues(layer, scale, folded, out) {
      const kernel = 'adaScaleValues';
      checkAdaScale(kernel, layer);
      const { w, n, k, block, bits, range, beta, gamma, s2, s3, threads } = layer;
      checkLength(kernel, 'scale', scale.length, (n * k) / block);
      checkLength(kernel, 'out', out.length, n * k);
      raw.adaScaleValues(w, n, k, scale, block, bits, range, beta, gamma, s2, s3, folded, out, threadCount(kernel, threads));
    },
    adaScaleStep(layer, scale, gradient, rates) {
      const kernel = 'adaScaleStep';
      checkAdaScale(kernel, layer);
      const { w, n, k, block, bits, range, beta, gamma, s2, s3, threads } = layer;
      checkLength(kernel, 'scale', scale.length, (n * k) / block);
      checkLength(kernel, 'gradient', gradient.length, n * k);
      check(kernel, Number.isInteger(rates.step) && rates.step >= 1, `step is ${rates.step}, the first one is 1`);
      const part = 1 - power(0.9, rates.step);
      const root = fround(Math.sqrt(1 - power(0.999, rates.step)));
      raw.adaScaleStep(w, n, k, scale, block, bits, range, beta, gamma, s2, s3, gradient, fround(rates.range / part), fround(rates.weight / part), root, new Float32Array(scale.length), threadCount(kernel, threads));
    },
    signRoundValues(layer, out) {
      const kernel = 'signRoundValues';
      checkSignRound(kernel, layer);
      const { w, n, k, grid, v, threads } = layer;
      checkLength(kernel, 'out', out.length, n * k);
      raw.signRoundValues(w, n, k, grid.scale, grid.block, grid.bits, v, out, threadCount(kernel, threads));
    },
    signRoundStep(layer, gradient, rate) {
      const kernel = 'signRoundStep';
      checkSignRound(kernel, layer);
      const { w, n, k, grid, v, threads } = layer;
      checkLength(kernel, 'gradient', gradient.length, n * k);
      raw.signRoundStep(w, n, k, grid.scale, grid.block, grid.bits, gradient, fround(rate), v, threadCount(kernel, threads));
    },
  };
}

function checkAdaScale(kernel: string, layer: AdaScaleLayer): void {
  const { n, k } = checkMatrix(kernel, layer);
  const { block, bits, range, beta, gamma, s2, s3 } = layer;
  checkBlock(kernel, block, k);
  checkBits(kernel, bits);
  const count = (n * k) / block;
  checkLength(kernel, 'range', range.length, 2 * count);
  checkLength(kernel, 'beta', beta.length, 3 * count);
  checkLength(kernel, 'gamma', gamma.length, 3 * count);
  checkLength(kernel, 's2', s2.length, 3 * n * k);
  checkLength(kernel, 's3', s3.length, 3 * n);
}

function checkSignRound(kernel: string, { w, n, k, grid, v }: SignRoundLayer): void {
  checkMatrix(kernel, { w, n, k });
  checkGrid(kernel, grid, n, k);
  checkLength(kernel, 'v', v.length, n * k);
}

/** By products alone: how ** rounds is left to the JavaScript engine. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let i = 0; i < exponent; i++) result *= base;
  return result;
}
