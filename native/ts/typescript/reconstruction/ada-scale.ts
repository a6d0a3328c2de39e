/** AdaScale in TypeScript: values, gradients of its parameters and their steps of Adam, with the operation order of the addon. */
import { exponential } from '../decoder/exponential.js';
import { LANES, treeSum } from '../decoder/lanes.js';
import { fma32 } from '../fused-multiply-add.js';
import { SCALE_FLOOR, clampRound } from '../ranges.js';
import { isInside } from './inside.js';

const { fround } = Math;

/** Parameters stay in -BOUND..BOUND, so that no exponential leaves e^-1..e. */
const BOUND = 1;
const [MEAN_PART, SQUARE_KEPT, SQUARE_PART, EPSILON] = [0.1, 0.999, 0.001, 1e-8].map(fround) as [number, number, number, number];

/** Both ends of the grid of block i: e^beta min and e^gamma max. */
function endsOf(range: Float32Array, beta: Float32Array, gamma: Float32Array, i: number): readonly [number, number] {
  const count = range.length / 2;
  return [fround(exponential(beta[i] as number) * (range[i] as number)), fround(exponential(gamma[i] as number) * (range[count + i] as number))];
}

export function adaScaleGrid(scale: Float32Array, bits: number, range: Float32Array, beta: Float32Array, gamma: Float32Array): void {
  for (let i = 0; i < scale.length; i++) {
    const [low, high] = endsOf(range, beta, gamma, i);
    const size = fround(fround(high - low) / (2 ** bits - 1));
    scale[i] = size > SCALE_FLOOR ? size : SCALE_FLOOR;
  }
}

export function adaScaleValues(
  w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, _range: Float32Array, _beta: Float32Array, _gamma: Float32Array, s2: Float32Array, s3: Float32Array,
  folded: boolean, out: Float32Array,
): void {
  const bound = 2 ** (bits - 1);
  for (let row = 0; row < n; row++) {
    const factor = exponential(s3[row] as number);
    for (let i = row * k; i < (row + 1) * k; i++) {
      const learned = fround(fround((w[i] as number) / exponential(s2[i] as number)) / factor);
      const size = scale[Math.floor(i / block)] as number;
      out[i] = folded ? learned : clampRound(fround(learned / size), -bound, bound - 1) * size;
    }
  }
}

export function adaScaleStep(
  w: Float32Array, n: number, k: number, scale: Float32Array, block: number, bits: number, range: Float32Array, beta: Float32Array, gamma: Float32Array, s2: Float32Array, s3: Float32Array,
  gradient: Float32Array, rangeRate: number, weightRate: number, root: number, slope: Float32Array,
): void {
  const bound = 2 ** (bits - 1);
  for (let row = 0; row < n; row++) {
    const factor = exponential(s3[row] as number);
    let sum = 0;
    for (let at = (row * k) / block; at < ((row + 1) * k) / block; at++) {
      const [scaleSums, rowSums] = [new Float32Array(LANES), new Float32Array(LANES)];
      for (let column = 0; column < block; column++) {
        const i = at * block + column;
        const [lane, dw] = [column % LANES, gradient[i] as number];
        const learned = fround(fround((w[i] as number) / exponential(s2[i] as number)) / factor);
        const position = fround(learned / (scale[at] as number));
        const code = clampRound(position, -bound, bound - 1);
        const inside = isInside(position, bound);
        const own = inside ? -fround(dw * learned) : 0;
        scaleSums[lane] = fma32(dw, inside ? fround(code - position) : code, scaleSums[lane] as number);
        rowSums[lane] = (rowSums[lane] as number) + own;
        adam(s2, i, own, weightRate, root);
      }
      slope[at] = treeSum(scaleSums);
      sum = fround(sum + treeSum(rowSums));
    }
    adam(s3, row, sum, weightRate, root);
  }
  for (let i = 0; i < scale.length; i++) {
    const [low, high] = endsOf(range, beta, gamma, i);
    const up = slope[i] as number;
    adam(beta, i, fround(-fround(up * low) / (2 ** bits - 1)), rangeRate, root);
    adam(gamma, i, fround(fround(up * high) / (2 ** bits - 1)), rangeRate, root);
  }
}

/** Parameter i of values, first and second moments behind each other. */
function adam(parameters: Float32Array, i: number, gradient: number, rate: number, root: number): void {
  const count = parameters.length / 3;
  const m = fround((parameters[count + i] as number) + fround(MEAN_PART * fround(gradient - (parameters[count + i] as number))));
  const v = fround(fround((parameters[2 * count + i] as number) * SQUARE_KEPT) + fround(SQUARE_PART * fround(gradient * gradient)));
  const next = fround((parameters[i] as number) - fround(rate * fround(m / fround(fround(fround(Math.sqrt(v)) / root) + EPSILON))));
  parameters[i] = Math.min(Math.max(next, -BOUND), BOUND);
  parameters[count + i] = m;
  parameters[2 * count + i] = v;
}
