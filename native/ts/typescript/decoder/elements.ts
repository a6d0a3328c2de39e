/** Norm, rotation, gated activation and addition in TypeScript, with the operation order of the addon. */
import { fma32 } from '../fused-multiply-add.js';
import { exponential } from './exponential.js';
import { LANES, treeSum } from './lanes.js';

const { fround } = Math;

export function rmsNorm(x: Float32Array, gain: Float32Array, epsilon: number, out: Float32Array, rows: number, columns: number): void {
  for (let start = 0; start < rows * columns; start += columns) {
    const squares = new Float32Array(LANES);
    for (let i = 0; i < columns; i++) squares[i % LANES] = fma32(x[start + i] as number, x[start + i] as number, squares[i % LANES] as number);
    const mean = fround(treeSum(squares) / columns);
    const inverse = fround(1 / fround(Math.sqrt(fround(mean + epsilon))));
    for (let i = 0; i < columns; i++) out[start + i] = fround((x[start + i] as number) * inverse) * (gain[i] as number);
  }
}

export function rotate(x: Float32Array, cos: Float32Array, sin: Float32Array, tokens: number, heads: number, headDim: number): void {
  const half = headDim / 2;
  for (let row = 0; row < tokens * heads; row++) {
    const table = Math.floor(row / heads) * half;
    for (let i = 0; i < half; i++) {
      const [at, c, s] = [row * headDim + i, cos[table + i] as number, sin[table + i] as number];
      const [a, b] = [x[at] as number, x[at + half] as number];
      x[at] = fround(a * c) - fround(b * s);
      x[at + half] = fround(a * s) + fround(b * c);
    }
  }
}

export function siluMultiply(gate: Float32Array, up: Float32Array): void {
  for (let i = 0; i < gate.length; i++) {
    const x = gate[i] as number;
    gate[i] = fround(x / fround(1 + exponential(-x))) * (up[i] as number);
  }
}

export function add(x: Float32Array, addend: Float32Array, rows: number, columns: number): void {
  for (let i = 0; i < rows * columns; i++) x[i] = (x[i] as number) + (addend[i % columns] as number);
}
