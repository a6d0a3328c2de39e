/** fma32 against exact integer arithmetic and against the instruction that the addon uses. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadKernels } from '../ts/index.js';
import { fma32 } from '../ts/typescript/fused-multiply-add.js';
import { ensureAddon } from './built-addon.js';
import { finiteFloat, generator } from './samples.js';

ensureAddon();
const native = loadKernels({ allow: 'native' });
const { fround } = Math;

/** A finite fp32 value as an integer multiple of 2^-149. */
function units(x: number): bigint {
  return BigInt(x * 2 ** 149);
}

/** fp32(value * 2^-298), half to even; the definition that fma32 must meet. */
function roundToFp32(value: bigint): number {
  const magnitude = value < 0n ? -value : value;
  const length = magnitude.toString(2).length;
  const shift = BigInt(Math.max(length - 24, 149));
  const half = 1n << (shift - 1n);
  const rest = magnitude & ((1n << shift) - 1n);
  let kept = magnitude >> shift;
  if (rest > half || (rest === half && (kept & 1n) === 1n)) kept += 1n;
  const result = Number(kept) * 2 ** (Number(shift) - 298);
  const limited = result >= 2 ** 128 ? Infinity : result;
  return value < 0n ? -limited : limited;
}

function expectExact(a: number, b: number, c: number): void {
  const exact = units(a) * units(b) + (units(c) << 149n);
  // An exact zero takes its sign from the signs of the terms, as the double sum does.
  const expected = exact === 0n ? a * b + c : roundToFp32(exact);
  const actual = fma32(a, b, c);
  expect(Object.is(actual, expected), `fma32(${a}, ${b}, ${c}) is ${actual}, exactly ${expected}`).toBe(true);
  const chain = native.sgemm(new Float32Array([c, a]), new Float32Array([1, b]), 1, 1, 2)[0] as number;
  // A chain starts from +0, which turns a first term of -0 into +0.
  expect(Object.is(chain, c === 0 ? fma32(a, b, 0) : actual), `sgemm gives ${chain} for ${a} * ${b} + ${c}`).toBe(true);
}

it('meets the exact result on any finite operands', () => {
  const float = fc.float({ noNaN: true, noDefaultInfinity: true });
  fc.assert(fc.property(float, float, float, expectExact), { numRuns: 2000 });
  const next = generator(7);
  for (let i = 0; i < 2000; i++) expectExact(finiteFloat(next), finiteFloat(next), finiteFloat(next));
});

it('meets the exact result next to midpoints, where rounding twice errs', () => {
  const next = generator(11);
  let twiceRoundedErrs = 0;
  for (let i = 0; i < 4000; i++) {
    const exponent = (next() % 60) - 30;
    const c = (1 + (next() % 2 ** 23) / 2 ** 23) * 2 ** exponent * (next() % 2 === 0 ? 1 : -1);
    // (1 + 2^-p)(1 - 2^-p) = 1 - 2^-2p: the product is half an ulp of c less a part that the double sum loses.
    const p = 12 + (next() % 11);
    const a = 2 ** (exponent - 24) * (1 + 2 ** -p);
    const b = (next() % 2 === 0 ? 1 : -1) * (1 - 2 ** -p);
    expectExact(a, b, c);
    if (!Object.is(fround(a * b + c), fma32(a, b, c))) twiceRoundedErrs++;
  }
  expect(twiceRoundedErrs).toBeGreaterThan(100);
});

it('meets the exact result where it is subnormal or at the end of the range', () => {
  const next = generator(13);
  const max = fround((2 - 2 ** -23) * 2 ** 127);
  for (let i = 0; i < 2000; i++) {
    const [x, y] = [fround(next() / 2 ** 32), fround(next() / 2 ** 32)];
    expectExact(fround(x * 2 ** -70), fround(y * 2 ** -78), fround((next() % 8) * 2 ** -149));
    expectExact(x, fround(y * 2 ** 104), max);
    expectExact(-x, fround(y * 2 ** 105), max);
  }
  expectExact(1, 2 ** 103, max);
  expectExact(1 - 2 ** -24, fround(2 ** 103), max);
});
