/** Arrays that serve one user after the other. */
import { describe, expect, it } from 'vitest';
import { FloatStack } from '../src/float-stack.js';

describe('a stack of arrays', () => {
  it.each([
    { piece: 128, pieces: 1 },
    { piece: 32, pieces: 3 },
    { piece: 1, pieces: 4 },
  ])('gives no element to two users at once, and the same memory to the next, in pieces of $piece', ({ piece, pieces }) => {
    const stack = new FloatStack(piece);
    const fill = (lengths: readonly number[]): Float32Array[] => lengths.map((length, i) => stack.take(length).fill(i + 1));
    const seen = new Set<ArrayBufferLike>();
    for (let round = 0; round < 3; round++) {
      const arrays = fill([5, 0, 40, 16, 7]);
      expect(arrays.map((array) => [array.length, new Set(array)])).toEqual([[5, new Set([1])], [0, new Set()], [40, new Set([3])], [16, new Set([4])], [7, new Set([5])]]);
      for (const { buffer, length } of arrays) if (length > 0) seen.add(buffer);
      expect(seen.size).toBe(pieces);
      stack.release();
    }
    const [first] = fill([5, 40]);
    const { mark } = stack;
    const inner = stack.take(3).fill(9);
    stack.release(mark);
    expect(stack.take(3)).toEqual(inner);
    expect(first).toEqual(new Float32Array(5).fill(1));
  });

  it('begins anew once its memory was given back', () => {
    const stack = new FloatStack(64);
    const before = stack.take(10).buffer;
    stack.clear();
    expect(stack.take(10).buffer).not.toBe(before);
  });
});
