/** The cache buffer against a plain model of it: a list of positions. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CacheBuffer } from '../src/cache-buffer.js';

const OUTER = 3;
const LARGEST = 20;
const ZERO = 128;

interface Step {
  readonly kind: 'append' | 'restride' | 'truncate';
  readonly amount: number;
}

it.each([1, 4])('any sequence of appends, strides and cuts keeps every position (inner %i)', (inner) => {
  const step = fc.record({ kind: fc.constantFrom<Step['kind']>('append', 'restride', 'truncate'), amount: fc.integer({ min: 0, max: LARGEST }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const buffer = new CacheBuffer(new Uint8Array(OUTER * LARGEST * inner), { outer: OUTER, inner }, ZERO, LARGEST);
    const positions: number[][] = [];
    let stride = LARGEST;
    let next = 0;
    for (const { kind, amount } of steps) {
      if (kind === 'append') {
        const ar = Math.min(amount, 5) + 1;
        const count = Math.min(amount, 5, stride - positions.length);
        const source = Uint8Array.from({ length: OUTER * ar * inner }, () => next++ % 251);
        buffer.append(source, ar, positions.length, count);
        for (let p = 0; p < count; p++) positions.push(Array.from({ length: OUTER * inner }, (_, i) => source[(Math.floor(i / inner) * ar + p) * inner + (i % inner)] as number));
      } else if (kind === 'restride') {
        stride = Math.max(1, amount, positions.length);
        buffer.restride(stride, positions.length);
      } else {
        const kept = Math.min(amount, positions.length);
        buffer.truncate(kept, positions.length);
        positions.length = kept;
      }
      const expected = Array.from({ length: OUTER * stride * inner }, (_, i) => positions[Math.floor(i / inner) % stride]?.[Math.floor(i / (stride * inner)) * inner + (i % inner)] ?? ZERO);
      expect([...buffer.view()]).toEqual(expected);
    }
  }), { numRuns: 200 });
});
