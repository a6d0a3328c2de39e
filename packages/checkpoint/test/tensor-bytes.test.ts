import { describe, expect, test } from 'vitest';
import { findNonFinite, widenToFloat32 } from '../src/index.js';

/** All 65,536 codes of a 16-bit type, little-endian. */
const ALL_CODES = new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, code) => code).buffer);

/** binary16 by its definition. */
function halfValue(code: number): number {
  const sign = code & 0x8000 ? -1 : 1;
  const exponent = (code >> 10) & 31;
  const fraction = code & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test('every half-precision code widens to its value', () => {
  const wide = widenToFloat32('F16', ALL_CODES);
  const wrong = [...wide].findIndex((value, code) => !Object.is(value, halfValue(code)));
  expect(wrong).toBe(-1);
});

test('every bfloat16 code is the upper half of its float32, NaN payloads included', () => {
  const bits = new Uint32Array(widenToFloat32('BF16', ALL_CODES).buffer);
  expect(bits.findIndex((value, code) => value !== code << 16 >>> 0)).toBe(-1);
});

test('bytes at an odd address are read as they are', () => {
  const shifted = new Uint8Array(ALL_CODES.length + 1);
  shifted.set(ALL_CODES, 1);
  expect(widenToFloat32('F16', shifted.subarray(1))).toEqual(widenToFloat32('F16', ALL_CODES));
  const floats = new Uint8Array(9);
  floats.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 1);
  expect([...widenToFloat32('F32', floats.subarray(1))]).toEqual([1.5, -2]);
});

describe('NaN and infinity', () => {
  test.each([['F16', 2 * 1024], ['BF16', 2 * 128]] as const)('%s: all codes with a full exponent, no other', (dtype, count) => {
    const first = [...widenToFloat32(dtype, ALL_CODES)].findIndex((value) => !Number.isFinite(value));
    expect(findNonFinite(dtype, ALL_CODES)).toEqual({ count, first });
  });

  test('F32, aligned or not; none gives -1', () => {
    const bytes = new Uint8Array(Float32Array.of(0, 3e38, Infinity, 1, -Number.NaN).buffer);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(findNonFinite('F32', bytes)).toEqual({ count: 2, first: 2 });
    expect(findNonFinite('F32', shifted.subarray(1))).toEqual({ count: 2, first: 2 });
    expect(findNonFinite('F32', bytes.subarray(0, 8))).toEqual({ count: 0, first: -1 });
  });
});
