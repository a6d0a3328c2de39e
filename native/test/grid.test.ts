/** Codes on a given grid follow their definition in both implementations: ties to even, then the zero point, saturated. */
import { describe, expect, it } from 'vitest';
import { loadKernels, variants } from '../ts/index.js';
import type { UnsignedGrid } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';

ensureAddon();
const implementations = [loadKernels({ allow: 'typescript' }), ...variants().map((isa) => loadKernels({ allow: 'native', isa }))];

/** As many copies as fill every vector width and leave a tail. */
function repeated(values: readonly number[]): Float32Array {
  return Float32Array.from({ length: values.length * 37 }, (_, i) => values[i % values.length] as number);
}

/** [scale, half, code]: value / scale in double is beside `half` on the other side of `code`. */
const HALVES_IN_FP32_ONLY = [[0.7, 1.5, 2], [0.7, 2.5, 2], [0.1, 3.5, 4], [0.9, 3.5, 4]] as const;

describe.each(implementations.map((kernels) => [kernels.identity().isa, kernels] as const))('%s', (_, kernels) => {
  function expectCodes(pairs: readonly (readonly [number, number])[], grid: UnsignedGrid, bits: 8 | 16): void {
    const codes = kernels.quantizeOnGrid(repeated(pairs.map(([value]) => value)), grid, bits);
    expect(codes).toBeInstanceOf(bits === 8 ? Uint8Array : Uint16Array);
    expect(Array.from(codes)).toEqual(Array.from(repeated(pairs.map(([, code]) => code))));
  }

  it('rounds halves to even before the zero point is added', () => {
    const halves = [[-2.5, -2], [-1.5, -2], [-0.5, 0], [-0, 0], [0.5, 0], [1.5, 2], [2.5, 2], [3.5, 4]] as const;
    for (const zeroPoint of [7, 10]) {
      expectCodes(halves.map(([steps, code]) => [steps * 0.25, code + zeroPoint]), { scale: 0.25, zeroPoint }, 8);
      expectCodes(halves.map(([steps, code]) => [steps * 0.25, code + zeroPoint]), { scale: 0.25, zeroPoint }, 16);
    }
  });

  it('rounds the quotient to fp32 first, which makes a half of a number just beside it', () => {
    for (const [step, half, code] of HALVES_IN_FP32_ONLY) {
      const scale = Math.fround(step);
      const value = Math.fround(half * scale);
      expect(Math.round(value / scale)).not.toBe(code);
      expectCodes([[value, code + 9], [-value, -code + 9]], { scale, zeroPoint: 9 }, 8);
    }
  });

  it.each([[8, 255], [16, 65535]] as const)('saturates at both ends of %i bits', (bits, top) => {
    const ends = [[-1e30, 0], [-Infinity, 0], [1e30, top], [Infinity, top], [NaN, 0]] as const;
    expectCodes([...ends, [-100, 0], [-100.6, 0], [top - 100, top], [top - 99.4, top]], { scale: 1, zeroPoint: 100 }, bits);
    expectCodes([...ends, [-0.5, 0], [top + 0.5, top], [top - 1.5, top - 1]], { scale: 1, zeroPoint: 0 }, bits);
    expectCodes([...ends, [-top, 0], [0.5, top], [-1, top - 1]], { scale: 1, zeroPoint: top }, bits);
  });
});
