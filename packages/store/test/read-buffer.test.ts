import { expect, test } from 'vitest';
import { readBuffer } from '../src/read-buffer.js';

test.each([0, 1, 1 << 20])('%i bytes, at an address for elements of any width', (length) => {
  const { buffer, byteOffset, byteLength } = readBuffer(length);
  expect(byteLength).toBe(length);
  expect(new Float64Array(buffer, byteOffset, Math.floor(length / 8)).byteLength).toBe(Math.floor(length / 8) * 8);
});
