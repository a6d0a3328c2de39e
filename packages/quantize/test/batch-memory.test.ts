/** Arrays that one batch after the other uses. */
import { expect, it } from 'vitest';
import { BatchMemory } from '../src/forward/batch-memory.js';

it('gives no array to two users of one batch, and the same ones to the next', () => {
  const memory = new BatchMemory();
  const [a, b, c] = [memory.take(8), memory.take(8), memory.take(4)];
  expect(new Set([a, b, c]).size).toBe(3);
  memory.give(b);
  expect(memory.take(8)).toBe(b);
  memory.reset();
  expect(new Set([memory.take(8), memory.take(8)])).toEqual(new Set([a, b]));
  expect(memory.take(4)).toBe(c);
  expect([a, b]).not.toContain(memory.take(8));
});
