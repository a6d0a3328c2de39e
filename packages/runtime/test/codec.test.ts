/** Quantization of inputs and outputs against the definition, ties included. */
import fc from 'fast-check';
import type { IoTensor } from '@tundish/toolchain';
import { describe, expect, it } from 'vitest';
import { decode, encode, encodeAll } from '../src/codec.js';

const tensor = (dtype: IoTensor['dtype'], scale: number, zeroPoint: number): IoTensor => ({ name: 't', dtype, shape: [1], quantization: { scale, zeroPoint } });

describe('encode', () => {
  it.each([[0.5, 128], [1.5, 130], [2.5, 130], [-0.5, 128], [-1.5, 126], [0.49999999999999994, 128], [126.5, 254], [200, 255], [-200, 0], [1e300, 255], [-Infinity, 0]])('%d in steps of 1 is code %i', (real, code) => {
    expect(encode(tensor('uint8', 1, 128), real)).toBe(code);
    expect(encodeAll(tensor('uint8', 1, 128), Float64Array.of(real))).toEqual(Uint8Array.of(code));
  });

  it.each([[0.5, 128], [0.99, 128], [1, 129], [-0.01, 127], [-1, 127], [126.99, 254], [200, 255], [-200, 0]])('%d in steps of 1, rounded down, is code %i', (real, code) => {
    const down: IoTensor = { name: 't', dtype: 'uint8', shape: [1], quantization: { scale: 1, zeroPoint: 128, rounding: 'down' } };
    expect(encode(down, real)).toBe(code);
    expect(encodeAll(down, Float64Array.of(real))).toEqual(Uint8Array.of(code));
  });

  it('is the nearest code, and the even one of two equally near', () => {
    fc.assert(fc.property(fc.double({ min: -100, max: 100, noNaN: true }), fc.integer({ min: 0, max: 65535 }), fc.double({ min: 1e-3, max: 1, noNaN: true }), (real, zeroPoint, scale) => {
      const code = encode(tensor('uint16', scale, zeroPoint), real) - zeroPoint;
      const exact = Math.min(65535 - zeroPoint, Math.max(-zeroPoint, real / scale));
      const distance = Math.abs(code - exact);
      return Number.isInteger(code) && (distance < 0.5 || (distance === 0.5 && code % 2 === 0));
    }));
  });

  it('decode inverts it on every code', () => {
    const t = tensor('uint16', 0.0123, 31000);
    const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const reals = decode(t, codes, 0, codes.length);
    expect(encodeAll(t, Float64Array.from(reals))).toEqual(codes);
    expect(decode(t, codes, 31000, 2)).toEqual(Float32Array.of(0, 0.0123));
  });

  it('keeps half floats as their bits', () => {
    const half: IoTensor = { name: 't', dtype: 'float16', shape: [4] };
    const bits = encodeAll(half, Float64Array.of(1, -0.1, -1e4, 1e9));
    expect(bits).toEqual(Uint16Array.of(0x3c00, 0xae66, 0xf0e2, 0x7bff));
    expect(encode(half, -0.1)).toBe(0xae66);
    expect(decode(half, bits, 1, 2)).toEqual(Float32Array.of(-0.0999755859375, -1e4));
  });

  it('passes floats and refuses integers without quantization', () => {
    const float: IoTensor = { name: 't', dtype: 'float32', shape: [2] };
    expect(encodeAll(float, Float64Array.of(0.1, -1e4))).toEqual(Float32Array.of(0.1, -1e4));
    expect(() => encode({ name: 'mask', dtype: 'uint16', shape: [1] }, 0)).toThrow(/RUNTIME_IO_MISMATCH: mask is uint16/);
  });
});
