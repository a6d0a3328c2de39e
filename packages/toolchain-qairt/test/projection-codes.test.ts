/** Codes of projections turned from rows of outputs to rows of inputs, against the definition. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { projectionCodes } from '../src/compose/projection-codes.js';

interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly codes: number[];
}

function matrices(bits: 4 | 8 | 16): fc.Arbitrary<Matrix> {
  const half = 2 ** (bits - 1);
  const columns = fc.integer({ min: 1, max: 40 }).map((count) => (bits === 4 ? 2 * count : count));
  return fc.tuple(fc.integer({ min: 1, max: 150 }), columns).chain(([rows, width]) => fc.array(fc.integer({ min: -half, max: half - 1 }), { minLength: rows * width, maxLength: rows * width }).map((codes) => ({ rows, columns: width, codes })));
}

/** As quantize stores them. */
function stored(codes: readonly number[], bits: 4 | 8 | 16): Uint8Array {
  if (bits === 4) return Uint8Array.from({ length: codes.length / 2 }, (_, i) => ((codes[2 * i] as number) + 8) | (((codes[2 * i + 1] as number) + 8) << 4));
  return new Uint8Array((bits === 8 ? Int8Array : Int16Array).from(codes).buffer);
}

describe.each([4, 8, 16] as const)('codes of %i bits', (bits) => {
  it('are the same numbers in the other order, whatever chunks they come in', () => {
    fc.assert(fc.property(matrices(bits), fc.integer({ min: 1, max: 70 }), ({ rows, columns, codes }, step) => {
      const turned = new (bits === 16 ? Int16Array : Int8Array)(rows * columns);
      const bytes = stored(codes, bits);
      const rowBytes = (columns * bits) / 8;
      for (let from = 0; from < rows; from += step) projectionCodes(bytes.slice(from * rowBytes, (from + step) * rowBytes), bits, { rows, columns, from }, turned);
      expect([...turned]).toEqual(Array.from({ length: rows * columns }, (_, i) => codes[(i % rows) * columns + Math.floor(i / rows)]));
    }), { numRuns: 60 });
  });

  it('end after so many bytes as they began with: nothing outside of the result is written', () => {
    const around = new (bits === 16 ? Int16Array : Int8Array)(64 * 32 + 8).fill(77);
    projectionCodes(stored(Array<number>(64 * 32).fill(-3), bits), bits, { rows: 64, columns: 32, from: 0 }, around.subarray(4, 4 + 64 * 32));
    expect(new Set(around.subarray(4, 4 + 64 * 32))).toEqual(new Set([-3]));
    expect([...around.subarray(0, 4), ...around.subarray(4 + 64 * 32)]).toEqual(Array(8).fill(77));
  });
});
