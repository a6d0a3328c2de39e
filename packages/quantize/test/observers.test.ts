/** Observers of activations against AIMET 2.42, and what must hold for any stream. */
import { readFileSync } from 'node:fs';
import { HistogramObserver, type TargetGrid, asymmetricUnsigned, mergeHistograms, minMaxRange, mseRange, percentileRange, rangeObserver, sqnrRange, symmetricUnsigned, unite } from '@tundish/quantize/observers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { roundHalfEven, symmetricCache } from '../src/calibration/encoding-rules.js';
import { floats, goldenTensors } from './golden-tensors.js';

interface Golden {
  readonly stream: string;
  readonly grid: string;
  readonly analyzer: string;
  readonly param_min: number;
  readonly param_max: number;
  readonly scale: number;
  readonly offset: number;
}

const goldens = JSON.parse(readFileSync(new URL('fixtures/observers/aimet.json', import.meta.url), 'utf8')) as Golden[];
const tensors = goldenTensors('streams', 'observers');

function piecesOf(stream: string): Float32Array[] {
  return Object.keys(tensors).filter((name) => name.startsWith(`${stream}.`)).sort().map((name) => floats(tensors[name] as never));
}

function encodingOf({ stream, grid, analyzer }: Golden) {
  const target: TargetGrid = { bits: grid.includes('16') ? 16 : 8, symmetric: grid.endsWith(' symmetric') };
  const observer = new HistogramObserver(stream, analyzer === 'tf_enhanced' ? { bins: 512, growthLimit: 3 } : {});
  for (const piece of piecesOf(stream)) observer.add(piece);
  const percentile = /percentile_(.*)/.exec(analyzer)?.[1];
  const range = percentile === undefined ? sqnrRange(observer.histogram, target) : percentileRange(observer.histogram, Number(percentile));
  return { range, encoding: target.symmetric ? symmetricUnsigned(range, target.bits) : asymmetricUnsigned(range, target.bits) };
}

describe('AIMET 2.42', () => {
  test.each(goldens)('$analyzer of $stream, $grid', (golden) => {
    const { encoding } = encodingOf(golden);
    expect({ steps: Math.abs(encoding.scale / golden.scale - 1) * 2 ** 23, offset: encoding.symmetric ? 0 : encoding.zeroPoint }).toEqual({ steps: expect.toSatisfy((x: number) => x <= 1) as number, offset: 0 - golden.offset });
  });
});

const stream = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 60 }).map((values) => Float32Array.from(values));
const observers = [{ method: 'minmax' }, { method: 'percentile', percentile: 95 }, { method: 'sqnr', gamma: 3 }, { method: 'mse' }] as const;
const total = (counts: Float64Array): number => counts.reduce((sum, value) => sum + value, 0);

function observed(pieces: readonly Float32Array[], options = {}): HistogramObserver {
  const observer = new HistogramObserver('x', options);
  for (const piece of pieces) observer.add(piece);
  return observer;
}

describe('any stream', () => {
  test('minimum and maximum of pieces are those of the whole, in any order and grouping', () => {
    fc.assert(fc.property(stream, stream, stream, (a, b, c) => {
      const [x, y, z] = [a, b, c].map(minMaxRange) as [ReturnType<typeof minMaxRange>, ReturnType<typeof minMaxRange>, ReturnType<typeof minMaxRange>];
      const whole = minMaxRange(Float32Array.from([...a, ...b, ...c]));
      expect(unite(unite(x, y), z)).toEqual(whole);
      expect(unite(z, unite(y, x))).toEqual(whole);
    }));
  });

  test.each(observers)('$method: 0 has a code of its own, on every grid', (observer) => {
    fc.assert(fc.property(stream, fc.constantFrom(8 as const, 16 as const), fc.boolean(), (values, bits, symmetric) => {
      const seen = rangeObserver('x', observer);
      seen.add(values);
      const range = seen.range({ bits, symmetric });
      expect(range.min).toBeLessThanOrEqual(range.max);
      const { zeroPoint } = symmetric ? symmetricUnsigned(range, bits) : asymmetricUnsigned(range, bits);
      expect(Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint < 2 ** bits).toBe(true);
    }), { numRuns: 30 });
  });

  test('pieces inside the range of the first give the histogram of one pass', () => {
    // From -16 to 16 all edges are exact; elsewhere the last one is by float32 roundings beside the largest value, as in AIMET.
    const inside = fc.array(fc.integer({ min: -1600, max: 1600 }), { maxLength: 60 }).map((values) => values.map((value) => value / 100));
    fc.assert(fc.property(inside, inside, (a, b) => {
      const first = [-16, ...a, 16];
      expect(observed([Float32Array.from(first), Float32Array.from(b)]).histogram).toEqual(observed([Float32Array.from([...first, ...b])]).histogram);
    }));
  });

  test('no value is lost, whatever the pieces, and the range is theirs', () => {
    fc.assert(fc.property(fc.array(stream, { minLength: 1, maxLength: 5 }), (pieces) => {
      const { counts, min, max } = observed(pieces).histogram;
      const whole = Float32Array.from(pieces.flatMap((piece) => [...piece]));
      expect(total(counts)).toBe(whole.length);
      const seen = minMaxRange(whole);
      const rounding = 1e-6 * Math.max(seen.max - seen.min, Math.abs(seen.max), Math.abs(seen.min));
      expect(min).toBeLessThanOrEqual(seen.min + rounding);
      expect(max).toBeGreaterThanOrEqual(seen.max - rounding);
    }));
  });

  test('merging two streams is commutative and loses no value', () => {
    const merge = (a: Float32Array, b: Float32Array): void => {
      const [x, y] = [observed([a]).histogram, observed([b]).histogram];
      const merged = mergeHistograms(x, y);
      expect(mergeHistograms(y, x)).toEqual(merged);
      expect(total(merged.counts)).toBe(a.length + b.length);
    };
    fc.assert(fc.property(stream, stream, merge));
    merge(Float32Array.of(-1, -0), Float32Array.of(0, -1));
    expect(() => mergeHistograms(observed([new Float32Array(1)]).histogram, observed([new Float32Array(1)], { bins: 8 }).histogram)).toThrow(RangeError);
  });

  test.each([NaN, Infinity, -Infinity])('%s is refused with the name of the value', (bad) => {
    expect(() => observed([Float32Array.from([1, bad])])).toThrow(expect.objectContaining({ code: 'QUANTIZE_RANGE_NOT_FINITE', what: expect.stringContaining('x holds') as string }));
    expect(minMaxRange(Float32Array.from([1, NaN, 2]))).toEqual({ min: NaN, max: NaN });
  });

  test('what was never fed has no range', () => {
    expect(() => observed([]).histogram).toThrow(expect.objectContaining({ code: 'QUANTIZE_RANGE_NOT_FINITE' }));
  });
});

describe('what each is for', () => {
  // 4000 values near 0 and one far away.
  const values = Float32Array.from({ length: 4001 }, (_, i) => (i === 4000 ? 100 : Math.sin(i * 12.9898) + Math.cos(i * 78.233)));
  const { histogram } = observed([values]);
  const grid: TargetGrid = { bits: 8, symmetric: false };

  /** Mean squared error of the values on the grid of a range. */
  const error = ({ min, max }: { min: number; max: number }): number => {
    const { scale, zeroPoint } = asymmetricUnsigned({ min, max }, 8);
    return values.reduce((sum, x) => sum + (x - (Math.min(Math.max(roundHalfEven(x / scale) + zeroPoint, 0), 255) - zeroPoint) * scale) ** 2, 0) / values.length;
  };

  test('a percentile leaves the outlier out, SQNR and MSE weigh it', () => {
    expect(percentileRange(histogram, 99.9).max).toBeLessThan(3);
    expect(error(mseRange(histogram, grid))).toBeLessThanOrEqual(error(minMaxRange(values)) * 1.05);
    expect(sqnrRange(histogram, grid, 1)).toEqual(mseRange(histogram, grid));
    expect(sqnrRange(histogram, grid, 1000).max).toBeGreaterThan(mseRange(histogram, { bits: 8, symmetric: true }).max * 0.5);
  });

  test('TF-enhanced stops to grow three times the first range away', () => {
    const { max, counts } = observed([Float32Array.from([-1, 1]), Float32Array.from([1000])], { bins: 512, growthLimit: 3 }).histogram;
    expect(max).toBe(4);
    expect(counts.at(-1)).toBe(1);
  });
});

describe('a cache of 16 bits', () => {
  test('keeps both halves of every calibrated code within 8 signed bits, around 32768', () => {
    fc.assert(fc.property(stream, (values) => {
      const { min, max } = minMaxRange(values);
      const { scale, zeroPoint, dtype, symmetric } = symmetricCache({ min, max }, 16);
      expect([zeroPoint, dtype, symmetric]).toEqual([32768, 'uint16', true]);
      expect(roundHalfEven(Math.max(max, 0) / scale)).toBeLessThanOrEqual(0x7f7f);
      expect(roundHalfEven(Math.min(min, 0) / scale)).toBeGreaterThanOrEqual(-0x8000);
    }));
    expect(symmetricCache({ min: 0, max: 0x7f7f }, 16).scale).toBe(1);
    expect(symmetricCache({ min: -0x8000, max: 1 }, 16).scale).toBe(1);
  });
});
