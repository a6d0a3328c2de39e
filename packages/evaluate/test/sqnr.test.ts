/** SQNR against closed forms, at its edges, and as it is shown. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sqnr, blockTableJson, formatBlockTable, formatDecibels } from '../src/index.js';

function sqnr(...pairs: readonly (readonly [readonly number[], readonly number[]])[]): number {
  const meter = new Sqnr();
  for (const [reference, found] of pairs) meter.add(Float32Array.from(reference), Float32Array.from(found));
  return meter.decibels;
}

describe('Sqnr', () => {
  it('is 20 log10(1/e) for a relative error e of every element', () => {
    expect(sqnr([[1, -2, 4], [1.5, -3, 6]])).toBeCloseTo(20 * Math.log10(2), 12);
    expect(sqnr([[8, 8], [7, 9]])).toBeCloseTo(20 * Math.log10(8), 12);
    expect(sqnr([[3, 4], [0, 0]])).toBe(0);
    expect(sqnr([[1, 1], [11, -9]])).toBeCloseTo(-20, 12);
  });

  it('gains 6.02 dB a bit for rounding to a uniform grid', () => {
    const wave = Array.from({ length: 100_000 }, (_, i) => Math.fround(2 * ((i * 0.6180339887498949) % 1) - 1));
    for (const bits of [4, 8]) {
      const step = 2 / 2 ** bits;
      const rounded = wave.map((x) => (Math.floor(x / step) + 0.5) * step);
      expect(sqnr([wave, rounded])).toBeCloseTo(20 * Math.log10(2 ** bits), 1);
    }
  });

  it('sums signal and noise over all tensors before it divides', () => {
    expect(sqnr([[10], [10]], [[1], [0]])).toBeCloseTo(10 * Math.log10(101), 12);
    expect(sqnr([[0], [1]], [[10], [10]])).toBeCloseTo(20, 12);
  });

  it('does not depend on the scale, nor on how the elements are divided', () => {
    const values = fc.array(fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: -1000, max: 1000 })), { minLength: 2, maxLength: 40 });
    fc.assert(fc.property(values, fc.integer({ min: -20, max: 20 }), (elements, exponent) => {
      const [reference, found] = [elements.map(([a]) => a), elements.map(([, b]) => b)];
      const whole = sqnr([reference, found]);
      const scale = 2 ** exponent;
      expect(sqnr([reference.map((x) => x * scale), found.map((x) => x * scale)])).toBe(whole);
      expect(sqnr([reference.slice(0, 1), found.slice(0, 1)], [reference.slice(1), found.slice(1)])).toBe(whole);
    }));
  });

  it('keeps sums in float64: a small error beside a large signal is not lost', () => {
    expect(sqnr([[16777216, 1], [16777216, 0]])).toBeCloseTo(20 * Math.log10(16777216), 6);
  });

  it('has a value for every edge', () => {
    expect(sqnr([[1, 2], [1, 2]])).toBe(Infinity);
    expect(sqnr([[0, 0], [0, 0]])).toBe(Infinity);
    expect(sqnr([[0, 0], [0, 1]])).toBe(-Infinity);
    for (const broken of [NaN, Infinity, -Infinity]) {
      expect(sqnr([[1, 2], [1, broken]])).toBeNaN();
      expect(sqnr([[1, broken], [1, broken]])).toBeNaN();
    }
    expect(sqnr()).toBeNaN();
    expect(() => sqnr([[1, 2], [1]])).toThrow(/EVALUATE_SIZES_DIFFER: the reference has 2 elements, what is held against it 1/);
  });
});

describe('the table of blocks', () => {
  const rows = [
    { block: 'embedding', artifacts: { weights: { stream: 79.46, own: 79.46 }, full: { stream: Infinity, own: -Infinity } } },
    { block: '0', artifacts: { weights: { stream: 22.5, own: 22.5, key: 25.04, value: 21.3 }, full: { stream: -3, own: NaN, key: 1, value: 100 } } },
  ];

  it('says in words what is no number', () => {
    expect([Infinity, -Infinity, NaN, 0, -1.25].map(formatDecibels)).toEqual(['exact', 'no signal', 'not finite', '0.0', '-1.3']);
  });

  it('has four columns an artifact, none of K and V where there are none', () => {
    expect(formatBlockTable(rows).split('\n').map((line) => line.trimEnd())).toEqual([
      'block      weights stream  weights own  weights K  weights V  full stream    full own  full K  full V',
      'embedding            79.5         79.5                              exact   no signal',
      '0                    22.5         22.5       25.0       21.3         -3.0  not finite     1.0   100.0',
    ]);
  });

  it('is the same as JSON', () => {
    expect(JSON.parse(blockTableJson(rows))).toEqual([
      { block: 'embedding', artifacts: { weights: { stream: 79.46, own: 79.46 }, full: { stream: 'exact', own: 'no signal' } } },
      { block: '0', artifacts: { weights: { stream: 22.5, own: 22.5, key: 25.04, value: 21.3 }, full: { stream: -3, own: 'not finite', key: 1, value: 100 } } },
    ]);
  });
});
