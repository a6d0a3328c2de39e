/** Arrays that serve one user after the other. */
import { expect, it } from 'vitest';
import { FloatStack } from '../src/float-stack.js';

it('gives no element to two users at once, and the same memory to the next', () => {
  const stack = new FloatStack();
  const fill = (lengths: readonly number[]): Float32Array[] => lengths.map((length, i) => stack.take(length).fill(i + 1));
  for (let round = 0; round < 3; round++) {
    const arrays = fill([5, 0, 40, 16, 7]);
    expect(arrays.map((array) => [array.length, new Set(array)])).toEqual([[5, new Set([1])], [0, new Set()], [40, new Set([3])], [16, new Set([4])], [7, new Set([5])]]);
    expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(round === 0 ? 5 : 1);
    stack.release(0);
  }
  const [first] = fill([5, 40]);
  const { mark } = stack;
  const inner = stack.take(3).fill(9);
  stack.release(mark);
  expect(stack.take(3)).toEqual(inner);
  expect(first).toEqual(new Float32Array(5).fill(1));
});
