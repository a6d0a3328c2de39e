import { describe, expect, test } from 'vitest';
import { fitsExactly, narrowFloats } from '../src/gguf/narrow.js';
import { widenToFloat32 } from '../src/index.js';

const codes = Uint16Array.from({ length: 0x1_0000 }, (_, code) => code);

function narrowed(values: readonly number[], dtype: 'F16' | 'BF16'): number[] {
  const out = new Uint8Array(2 * values.length);
  narrowFloats(Float32Array.from(values), dtype, out);
  return [...new Uint16Array(out.buffer)];
}

describe.each([
  { dtype: 'F16' as const, last: 0x7bff },
  { dtype: 'BF16' as const, last: 0x7f7f },
])('$dtype', ({ dtype, last }) => {
  const wide = widenToFloat32(dtype, new Uint8Array(codes.buffer));

  test('every finite value and infinity come back', () => {
    const out = new Uint8Array(codes.byteLength);
    narrowFloats(wide, dtype, out);
    const back = new Uint16Array(out.buffer);
    const changed = [...codes].filter((code) => back[code] !== code && !Number.isNaN(wide[code]));
    expect(changed).toEqual([]);
    expect(fitsExactly(wide.filter(Number.isFinite), dtype)).toBe(true);
  });

  test('NaN stays NaN', () => expect(Number.isNaN(widenToFloat32(dtype, new Uint8Array(Uint16Array.from(narrowed([NaN], dtype)).buffer))[0])).toBe(true));

  test('halfway goes to the even code, a little more or less to the nearer one', () => {
    for (let code = 0; code < last; code += 7) {
      const low = wide[code] ?? 0;
      const high = wide[code + 1] ?? 0;
      const middle = (low + high) / 2;
      if (Math.fround(middle) !== middle) continue;
      const even = code % 2 === 0 ? code : code + 1;
      const [above, below] = neighbours(middle);
      expect([code, ...narrowed([middle, above, below, -middle], dtype)]).toEqual([code, even, code + 1, code, even | 0x8000]);
      expect(fitsExactly(Float32Array.of(middle), dtype)).toBe(false);
    }
  });
});

test('a finite value beyond float16 is reported by its index, infinity is not', () => {
  const out = new Uint8Array(8);
  expect(narrowFloats(Float32Array.of(1, Infinity, 65519.99, 65520), 'F16', out)).toBe(3);
  expect(narrowFloats(Float32Array.of(1, -Infinity, 65519.99, 2), 'F16', out)).toBe(-1);
  expect(fitsExactly(Float32Array.of(65536), 'F16')).toBe(false);
});

/** The float32 values next to a positive one. */
function neighbours(value: number): [number, number] {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  const pair = new Float32Array(Uint32Array.of(bits + 1, bits - 1).buffer);
  return [pair[0] ?? 0, pair[1] ?? 0];
}
