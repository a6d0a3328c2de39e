/** Every variant of the exact products gives the integers of plain sums, at every size and at the edges of the codes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CodeProduct, multiplyCodes, productVariants } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';

ensureAddon();

/** Weight of output `n` at column `k`, read the slow way. */
function weightAt({ form, codes, blockScale, block, outputs, columns }: CodeProduct, n: number, k: number): number {
  if (form === 'columns') return (codes[k * outputs + n] as number) - 128;
  if (form === 'rows') return ((codes[n * columns + k] as number) << 24) >> 24;
  const nibble = ((codes[(n * columns + k) >> 1] as number) >> (4 * (k & 1))) & 15;
  return (nibble - 8) * ((blockScale as Uint8Array)[(n * columns + k) / (block as number) | 0] as number);
}

function expected(product: CodeProduct): Float64Array {
  const { x, rows, outputs, columns } = product;
  const sums = new Float64Array((rows + 1) * outputs);
  for (let n = 0; n < outputs; n++) {
    for (let k = 0; k < columns; k++) {
      const weight = weightAt(product, n, k);
      for (let m = 0; m < rows; m++) sums[m * outputs + n] = (sums[m * outputs + n] as number) + weight * (x[m * columns + k] as number);
      sums[rows * outputs + n] = (sums[rows * outputs + n] as number) + weight;
    }
  }
  return sums;
}

/** Bytes that hold extremes often. */
function bytes(seed: number, length: number, extremes: readonly number[]): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    const draw = state >>> 8;
    return draw % 3 === 0 ? (extremes[(draw >> 4) % extremes.length] as number) : draw >> 8;
  });
}

function product(form: CodeProduct['form'], seed: number, size: { rows: number; outputs: number; columns: number; block: number }): CodeProduct {
  const { rows, outputs, columns, block } = size;
  const x = new Uint16Array(bytes(seed, rows * columns * 2, [0, 255]).buffer);
  const codes = bytes(seed + 1, form === 'blockwise' ? (outputs * columns) / 2 : outputs * columns, [0, 255, 127, 128]);
  const blockScale = bytes(seed + 2, (outputs * columns) / block, [0, 15]).map((byte) => 1 + (byte & 15));
  return { form, x, rows, codes, outputs, columns, ...(form === 'blockwise' ? { blockScale, block } : {}) };
}

const seed = fc.integer({ min: 1, max: 1 << 28 });
const rows = fc.constantFrom(1, 2, 3, 4, 5, 7, 9);
const outputs = fc.integer({ min: 1, max: 70 });
const { variants } = productVariants();

it('the addon runs at least its portable variant here', () => expect(variants).toContain('portable'));

describe.each(variants)('%s', (isa) => {
  const expectExact = (given: CodeProduct): void => {
    expect(multiplyCodes(isa, given)).toEqual(expected(given));
  };

  it('multiplies blockwise weights', () => {
    const shape = fc.constantFrom(16, 32, 64, 128).chain((block) => fc.record({ rows, outputs, block: fc.constant(block), columns: fc.integer({ min: 1, max: 9 }).map((blocks) => blocks * block) }));
    fc.assert(fc.property(seed, shape, (s, size) => expectExact(product('blockwise', s, size))), { numRuns: 50 });
  });

  it.each(['rows', 'columns'] as const)('multiplies 8-bit %s', (form) => {
    const shape = fc.record({ rows, outputs, columns: fc.integer({ min: 1, max: 300 }), block: fc.constant(1) });
    fc.assert(fc.property(seed, shape, (s, size) => expectExact(product(form, s, size))), { numRuns: 50 });
  });

  it('holds the largest sums: 65536 columns of the largest codes', () => {
    const [columns, count] = [65_536, 33];
    const x = new Uint16Array(2 * columns).fill(65_535);
    for (const form of ['rows', 'blockwise'] as const) {
      const codes = form === 'rows' ? new Uint8Array(count * columns).fill(0x80) : new Uint8Array((count * columns) / 2);
      const given: CodeProduct = { form, x, rows: 2, codes, outputs: count, columns, ...(form === 'rows' ? {} : { block: 64, blockScale: new Uint8Array((count * columns) / 64).fill(16) }) };
      const sums = multiplyCodes(isa, given);
      expect(sums.subarray(0, 2 * count).every((sum) => sum === -128 * 65_535 * columns)).toBe(true);
      expect(sums.subarray(2 * count).every((sum) => sum === -128 * columns)).toBe(true);
    }
  });

  it('refuses arrays of other sizes', () => {
    const given = product('blockwise', 5, { rows: 2, outputs: 3, columns: 64, block: 32 });
    expect(() => multiplyCodes(isa, { ...given, x: given.x.subarray(1) })).toThrow(TypeError);
    expect(() => multiplyCodes(isa, { ...given, block: 48 })).toThrow(/blocks have/);
    expect(() => multiplyCodes(isa, { ...given, columns: 65_600 })).toThrow(/65536/);
  });
});
