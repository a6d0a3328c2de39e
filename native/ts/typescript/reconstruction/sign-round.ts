/** SignRound in TypeScript: rounding offsets that move by the sign of their gradient, with the operation order of the addon. */
import { clampRound } from '../ranges.js';
import { isInside } from './inside.js';

const { fround } = Math;

export function signRoundValues(w: Float32Array, _n: number, _k: number, scale: Float32Array, block: number, bits: number, v: Float32Array, out: Float32Array): void {
  const bound = 2 ** (bits - 1);
  for (let i = 0; i < w.length; i++) {
    const size = scale[Math.floor(i / block)] as number;
    out[i] = clampRound(fround(fround((w[i] as number) / size) + (v[i] as number)), -bound, bound - 1) * size;
  }
}

export function signRoundStep(w: Float32Array, _n: number, _k: number, scale: Float32Array, block: number, bits: number, gradient: Float32Array, rate: number, v: Float32Array): void {
  const bound = 2 ** (bits - 1);
  for (let i = 0; i < w.length; i++) {
    const offset = v[i] as number;
    if (!isInside(fround(fround((w[i] as number) / (scale[Math.floor(i / block)] as number)) + offset), bound)) continue;
    const move = rate * Math.sign(gradient[i] as number);
    v[i] = Math.min(Math.max(fround(offset - move), -0.5), 0.5);
  }
}
