/** The laws of a Hexagon processor the slow way: whole numbers and double arithmetic, one element at a time. */
import { roundHalfEven } from './small-graph.js';

export interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
}

export const clip = (code: number, largest = 65_535): number => Math.min(largest, Math.max(0, code));

function floorDivided(value: bigint, unit: bigint): bigint {
  return (value - (((value % unit) + unit) % unit)) / unit;
}

/** x = mantissa * 2^exponent with the mantissa in [0.5, 1). */
function split(x: number): readonly [mantissa: number, exponent: number] {
  let [mantissa, exponent] = [x, 0];
  for (; mantissa >= 1; exponent++) mantissa /= 2;
  for (; mantissa < 0.5; exponent--) mantissa *= 2;
  return [mantissa, exponent];
}

/** @param products pairs of a code and a weight; `factor` = scale of x * scale of w; `bits` that the sum loses */
export function sumCode(products: readonly (readonly [x: number, w: number])[], x: Grid, factor: number, y: Grid, bits = 8): number {
  const unit = 1n << BigInt(bits);
  const [sum, weights] = products.reduce(([a, b], [code, weight]) => [a + BigInt(code) * BigInt(weight), b + BigInt(weight)], [0n, 0n]);
  const whole = Number(floorDivided(sum, unit) - floorDivided(weights * BigInt(x.zeroPoint) + unit / 2n, unit));
  const [mantissa, exponent] = split((factor * Number(unit)) / y.scale);
  return clip(Math.floor(whole * (roundHalfEven(mantissa * 2 ** 22) * 2 ** (exponent - 22)) + (0.5 + mantissa / 256)) + y.zeroPoint);
}

export function addCode(a: number, b: number, { a: ga, b: gb, y }: { readonly a: Grid; readonly b: Grid; readonly y: Grid }, sign = 1): number {
  const [ra, rb] = [ga.scale / y.scale, gb.scale / y.scale];
  const step = 2 ** (split(Math.max(ra, rb))[1] - 15);
  return clip(Math.floor(((a - ga.zeroPoint) * roundHalfEven(ra / step) + sign * (b - gb.zeroPoint) * roundHalfEven(rb / step)) * step + 0.5) + y.zeroPoint);
}

export function mulCode(a: number, b: number, { a: ga, b: gb, y }: { readonly a: Grid; readonly b: Grid; readonly y: Grid }): number {
  const factor = (ga.scale * gb.scale) / y.scale;
  const worth = gb.zeroPoint === 32_768 ? (ga.zeroPoint - 32_768) * factor : 0;
  return clip(roundHalfEven((a - ga.zeroPoint) * (b - gb.zeroPoint) * factor + (roundHalfEven(worth * 8) / 8 - worth)) + y.zeroPoint);
}

/**
 * @param halves of a row, and the cosine and sine of their place; grids of x, of both tables and of y
 * @param up what is added to eighths of a code before they are cut off; undefined where there are none
 * @returns both halves
 */
export function rotaryCodes([x1, x2]: readonly [number, number], [cos, sin]: readonly [number, number], { x, table, y }: { readonly x: Grid; readonly table: Grid; readonly y: Grid }, up: number | undefined): [number, number] {
  const eighth = 8 * Math.fround((x.scale * table.scale) / y.scale);
  const worth = (x.zeroPoint - 32_768) * eighth;
  const product = (value: number, factor: number): number => {
    const eighths = (value - x.zeroPoint) * ((factor - table.zeroPoint) * eighth);
    return up === undefined ? eighths : Math.floor(eighths + (roundHalfEven(worth) - worth + up));
  };
  const whole = (eighths: number): number => clip((up === undefined ? roundHalfEven(eighths / 8) : Math.floor(eighths / 8 + 0.5)) + y.zeroPoint);
  const shift = up === undefined ? 0 : roundHalfEven(2 * worth) - 2 * roundHalfEven(worth);
  return [whole(product(x1, cos) - product(x2, sin)), whole(product(x1, sin) + product(x2, cos) + shift)];
}

export function sigmoidCode(x: number, grid: Grid): number {
  return clip(2 * Math.floor(32_768 / (1 + Math.exp(-(x - grid.zeroPoint) * grid.scale))));
}

export function softmaxCodes(row: readonly number[], { scale }: Grid): number[] {
  const step = Math.floor(scale * Math.LOG2E * 2 ** 22);
  const exponentials = row.map((code) => Math.floor(2 ** (15 - (step * (Math.max(...row) - code)) / 2 ** 22)));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => clip(Math.floor((value * 65_536) / sum)));
}

export function rmsNormCodes(row: readonly number[], gain: readonly number[], { x, y, epsilon }: { readonly x: Grid; readonly y: Grid; readonly epsilon: number }): number[] {
  const squares = row.reduce((sum, code) => sum + (code - x.zeroPoint) ** 2, 0);
  const factor = x.scale / Math.sqrt((squares / row.length) * x.scale * x.scale + epsilon) / y.scale;
  return row.map((code, i) => clip(Math.floor((code - x.zeroPoint) * (gain[i] as number) * factor) + y.zeroPoint));
}
