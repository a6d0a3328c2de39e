/** Long lists of encodings files: their text, and their order in the file. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { channelFirst, inStorageOrder } from '../src/encodings-formats/block-layout.js';
import type { BlockLayout } from '../src/encodings-formats/document.js';
import { type Numbers, listText } from '../src/encodings-formats/list-text.js';

const countOf = (shape: readonly number[]): number => shape.reduce((count, size) => count * size, 1);

/** The list that the shape asks for, one index after the other. */
function nested(values: readonly number[], [size = 0, ...inner]: readonly number[], start = 0): unknown[] {
  return Array.from({ length: size }, (_, i) => (inner.length === 0 ? values[start + i] : nested(values, inner, start + i * countOf(inner))));
}

const KINDS: readonly ((length: number) => fc.Arbitrary<Numbers>)[] = [
  (length) => fc.uint8Array({ minLength: length, maxLength: length }),
  (length) => fc.uint16Array({ minLength: length, maxLength: length }),
  (length) => fc.float32Array({ minLength: length, maxLength: length }),
  (length) => fc.float64Array({ minLength: length, maxLength: length }),
];

const shape = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 6 })), { minLength: 1, maxLength: 5 });
const numbersIn = (size: fc.Arbitrary<number[]>): fc.Arbitrary<readonly [number[], Numbers]> =>
  fc.tuple(size, fc.constantFrom(...KINDS)).chain(([sizes, kind]) => kind(countOf(sizes)).map((values) => [sizes, values] as const));

describe('the text of a list', () => {
  test('is that of the nested JavaScript list', () => {
    fc.assert(fc.property(numbersIn(shape), ([sizes, values]) => {
      expect(listText({ shape: sizes, values })).toBe(JSON.stringify(nested([...values], sizes)));
    }), { numRuns: 500 });
  });

  test.each([Uint8Array, Uint16Array])('has every integer of %o', (Integers) => {
    const values = Integers.from({ length: 256 ** Integers.BYTES_PER_ELEMENT }, (_, i) => i);
    expect(listText({ shape: [values.length], values })).toBe(JSON.stringify([...values]));
    expect(listText({ shape: [values.length, 1, 1], values: values.fill(-1) })).toBe(JSON.stringify(nested([...values], [values.length, 1, 1])));
  });
});

/** Channels and blocks on two axes, from the front or the back, the others 1 wide. */
const layout: fc.Arbitrary<BlockLayout> = fc.integer({ min: 2, max: 5 }).chain((rank) => fc.record({
  axes: fc.shuffledSubarray(Array.from({ length: rank }, (_, axis) => axis), { minLength: 2, maxLength: 2 }),
  channels: fc.integer({ min: 1, max: 7 }), blocks: fc.integer({ min: 1, max: 7 }), fromBack: fc.tuple(fc.boolean(), fc.boolean()),
}).map(({ axes: [channel = 0, block = 0], channels, blocks, fromBack }) => ({
  shape: Array.from({ length: rank }, (_, axis) => (axis === channel ? channels : axis === block ? blocks : 1)),
  channelAxis: fromBack[0] ? channel - rank : channel, blockAxis: fromBack[1] ? block - rank : block,
})));

describe('block scales', () => {
  test('lie in the order of the shape that the layout states', () => {
    fc.assert(fc.property(layout, (order) => {
      const { shape: sizes, channelAxis, blockAxis } = order;
      const [channels, blocks] = [sizes.at(channelAxis) as number, sizes.at(blockAxis) as number];
      const values = Uint16Array.from({ length: channels * blocks }, (_, i) => i);
      const stored = inStorageOrder(order, values);
      const strideOf = (axis: number): number => countOf(sizes.slice((axis < 0 ? axis + sizes.length : axis) + 1));
      for (let n = 0; n < channels; n++) for (let j = 0; j < blocks; j++) expect(stored[n * strideOf(channelAxis) + j * strideOf(blockAxis)]).toBe(n * blocks + j);
    }));
  });

  test('come back from there', () => {
    fc.assert(fc.property(layout.chain((order) => numbersIn(fc.constant([...order.shape])).map(([, values]) => [order, values] as const)), ([order, values]) => {
      expect(channelFirst(order, inStorageOrder(order, values))).toEqual(values);
      expect(inStorageOrder(order, channelFirst(order, values))).toEqual(values);
    }));
  });
});
