/** Encodings of every form and version: what is written is read again, and damage is a TundishError. */
import { TundishError } from '@tundish/diagnostics';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ENCODINGS_VERSIONS, type EncodingsDocument, type EncodingsEntry, type EncodingsVersion, type TensorEncoding, isSameEncoding, parseEncodings, writeEncodings } from '../src/index.js';

const written = (document: EncodingsDocument, version?: EncodingsVersion): string => [...writeEncodings(document, version)].join('');

const bits = fc.constantFrom(4 as const, 8 as const, 16 as const, 32 as const);
const scale = fc.double({ min: 1e-12, max: 1e12, noNaN: true });
const scales = (count: number): fc.Arbitrary<Float64Array> => fc.array(scale, { minLength: count, maxLength: count }).map((list) => Float64Array.from(list));
const name = fc.oneof(fc.string({ minLength: 1, maxLength: 12 }), fc.constantFrom('__proto__', 'constructor', '/a"b\\c\n\u2028', 'über', '12'));
const isTwo = (version: EncodingsVersion): boolean => version.startsWith('2');

/** What a version says of a grid; versions 2 derive symmetry, the others signedness. */
function gridOf(width: 4 | 8 | 16 | 32, zeroPoint: readonly number[], stated: boolean, version: EncodingsVersion, role: EncodingsEntry['role']): { bits: typeof width; signed: boolean; symmetric: boolean } {
  const symmetric = isTwo(version) ? zeroPoint.every((zero) => zero === 2 ** (width - 1)) : stated;
  return { bits: width, symmetric, signed: isTwo(version) ? stated : symmetric && role === 'parameter' };
}

const zeroPoint = (width: number): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(0, 2 ** (width - 1), 2 ** width - 1), fc.integer({ min: 0, max: 2 ** Math.min(width, 31) - 1 }));
const zeroPoints = (width: number, count: number): fc.Arbitrary<number[]> => fc.oneof(fc.constant(new Array<number>(count).fill(2 ** (width - 1))), fc.array(zeroPoint(width), { minLength: count, maxLength: count }));

function perTensor(version: EncodingsVersion, role: EncodingsEntry['role']): fc.Arbitrary<TensorEncoding> {
  return bits.chain((width) => fc.tuple(scale, zeroPoint(width), fc.boolean()).map(([step, zero, stated]) => ({ kind: 'per-tensor', grid: gridOf(width, [zero], stated, version, role), scale: step, zeroPoint: zero })));
}

function perChannel(version: EncodingsVersion): fc.Arbitrary<TensorEncoding> {
  const axis = isTwo(version) ? fc.integer({ min: -3, max: 3 }) : fc.constant(undefined);
  return fc.tuple(bits, fc.integer({ min: version === '0.6.1' ? 2 : 1, max: 5 }), fc.boolean(), axis).chain(([width, count, stated, at]) =>
    fc.tuple(scales(count), zeroPoints(width, count)).map(([scale, zeros]) => ({ kind: 'per-channel', grid: gridOf(width, zeros, stated, version, 'parameter'), scale, zeroPoint: Float64Array.from(zeros), axis: at })));
}

/** Channels and blocks on two of the axes, the others 1 wide; one channel alone is the first axis beside the blocks. */
const layout = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), fc.constantFrom(...([[2, 0, 1], [2, 1, 0], [4, 0, 1], [4, 1, 0], [3, 1, 2]] as const)), fc.boolean(), fc.boolean()).map(([channels, blocks, [rank, channel, block], fromBack, channelFromBack]) => {
  const channelAxis = channels === 1 ? (block === 0 ? 1 : 0) : channel;
  const shape = Array.from({ length: rank }, (_, axis) => (axis === channelAxis ? channels : axis === block ? blocks : 1));
  return { channels, blocks, layout: { shape, blockAxis: fromBack ? block - rank : block, channelAxis }, channelAxisFromBack: channelFromBack ? channelAxis - rank : channelAxis };
});

function perBlock(version: EncodingsVersion): fc.Arbitrary<TensorEncoding> {
  return fc.tuple(layout, bits, fc.boolean(), fc.integer({ min: 1, max: 128 })).chain(([{ channels, blocks, layout: known }, width, stated, blockSize]) =>
    fc.tuple(scales(channels * blocks), zeroPoints(width, channels * blocks)).map(([scale, zeros]) => ({
      kind: 'per-block', grid: gridOf(width, zeros, stated, version, 'parameter'), blockSize, scale, zeroPoint: Float64Array.from(zeros), layout: isTwo(version) ? known : undefined,
    })));
}

function lpbq(version: EncodingsVersion): fc.Arbitrary<TensorEncoding> {
  const widths = fc.constantFrom(...(isTwo(version) ? ([[4, 8], [8, 16]] as const) : ([[4, 8], [4, 16], [8, 16]] as const)));
  return fc.tuple(layout, widths, fc.integer({ min: 1, max: 128 })).chain(([{ channels, blocks, layout: known, channelAxisFromBack }, [narrow, wide], blockSize]) =>
    fc.tuple(scales(channels), fc.array(fc.integer({ min: 1, max: 2 ** (wide - narrow) }), { minLength: channels * blocks, maxLength: channels * blocks })).map(([channelScale, integers]) => ({
      kind: 'lpbq', bits: narrow, decompressedBits: wide, blockSize, channelScale, blockScale: Uint16Array.from(integers),
      layout: isTwo(version) ? (version === '2.1.0' ? { ...known, channelAxis: channelAxisFromBack } : known) : undefined,
    })));
}

const float: fc.Arbitrary<TensorEncoding> = fc.constantFrom(16 as const, 32 as const).map((width) => ({ kind: 'float', bits: width }));

const forms: Readonly<Record<EncodingsVersion, readonly ((version: EncodingsVersion) => fc.Arbitrary<TensorEncoding>)[]>> = {
  '0.6.1': [(version) => perTensor(version, 'parameter'), perChannel, () => float],
  '1.0.0': [(version) => perTensor(version, 'parameter'), perChannel, () => float, perBlock, lpbq],
  '2.0.0': [(version) => perTensor(version, undefined), perChannel, perBlock, lpbq],
  '2.1.0': [(version) => perTensor(version, undefined), perChannel, perBlock, lpbq],
};

function entries(version: EncodingsVersion): fc.Arbitrary<EncodingsEntry[]> {
  const parameter = fc.tuple(name, fc.oneof(...forms[version].map((form) => form(version)))).map(([tensor, encoding]): EncodingsEntry => ({ name: tensor, role: isTwo(version) && encoding.kind === 'per-tensor' ? undefined : 'parameter', encoding, extra: new Map() }));
  const activation = fc.tuple(name, perTensor(version, 'activation')).map(([tensor, encoding]): EncodingsEntry => ({ name: tensor, role: 'activation', encoding, extra: new Map() }));
  const unique = (list: fc.Arbitrary<EncodingsEntry>): fc.Arbitrary<EncodingsEntry[]> => fc.uniqueArray(list, { maxLength: 4, selector: (entry) => entry.name });
  return isTwo(version) ? unique(parameter) : fc.tuple(unique(activation), unique(parameter)).map((lists) => lists.flat());
}

/** A field that no version knows, of a value that JSON has. */
const extra = fc.dictionary(fc.constantFrom('note', 'maker', '__proto__'), fc.oneof(fc.string(), fc.boolean(), fc.constant(null), fc.integer())).map((fields) => new Map(Object.entries(fields)));

const document = (version: EncodingsVersion): fc.Arbitrary<EncodingsDocument> =>
  fc.tuple(entries(version), extra, extra).map(([list, own, ofEntry]) => ({ version, entries: list.map((entry) => (version === '0.6.1' ? entry : { ...entry, extra: ofEntry })), extra: own }));

const anyDocument = fc.constantFrom(...ENCODINGS_VERSIONS).chain(document);

describe.each(ENCODINGS_VERSIONS)('%s', (version) => {
  test('what is written is read again, every field', () => {
    fc.assert(fc.property(document(version), (original) => {
      const found = parseEncodings(written(original));
      // 0.6.1 gains min and max, which follow from the rest.
      const plain = version === '0.6.1' ? { ...found, entries: found.entries.map((entry) => ({ ...entry, extra: new Map() })) } : found;
      expect(plain).toEqual(original);
      expect(written(found)).toBe(written(original));
    }));
  });

  test('in any other version it says the same, or the tensor that cannot is named', () => {
    fc.assert(fc.property(document(version), fc.constantFrom(...ENCODINGS_VERSIONS), (original, target) => {
      let text: string;
      try {
        text = written(original, target);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENCODINGS_NOT_EXPRESSIBLE' });
        expect(original.entries.some((entry) => (error as TundishError).what.includes(entry.name.replace(/[\n\u2028\u0000-\u001f\u007f-\u009f].*/s, '')))).toBe(true); // eslint-disable-line no-control-regex
        return;
      }
      const found = parseEncodings(text);
      expect(found.entries).toHaveLength(original.entries.length);
      for (const entry of original.entries) expect(found.entries.some((other) => other.name === entry.name && isSameEncoding(entry.encoding, other.encoding)), entry.name).toBe(true);
    }));
  });
});

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Paths to every value of a JSON tree. */
function paths(value: Json, at: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (value === null || typeof value !== 'object') return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => paths(inner as Json, [...at, key]))];
}

function changed(value: Json, [key, ...rest]: readonly (string | number)[], to: Json | undefined): Json | undefined {
  if (key === undefined || value === null || typeof value !== 'object') return to;
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string | number, Json>;
  const inner = changed(copy[key] as Json, rest, to);
  if (inner === undefined) Reflect.deleteProperty(copy, key);
  else copy[key] = inner;
  return copy as Json;
}

const damage: fc.Arbitrary<Json | undefined> = fc.constantFrom<(Json | undefined)[]>(undefined, null, true, -1, 0, 0.5, 1e300, 2 ** 53, -(2 ** 31), '', 'INT', 'int4', 'True', [], {}, [[]], [[1], [1, 2]], [1, [2]], { x: [[1]], x_scale: [1], axis: 0 }, [[[[[[[[[1]]]]]]]]]);

describe('damaged files', () => {
  const orRefused = (text: string): void => {
    try {
      const { version } = parseEncodings(text);
      expect(ENCODINGS_VERSIONS).toContain(version);
    } catch (error) {
      if (!(error instanceof TundishError)) throw error;
      expect(error.code).toMatch(/^ENCODINGS_/);
    }
  };

  test('any value replaced or removed', () => {
    fc.assert(fc.property(anyDocument, fc.nat(), damage, (original, which, to) => {
      const tree = JSON.parse(written(original)) as Json;
      const all = paths(tree);
      orRefused(JSON.stringify(changed(tree, all[which % all.length] ?? [], to) ?? null));
    }), { numRuns: 200 });
  });

  test('any character replaced, and any beginning of a file', () => {
    fc.assert(fc.property(anyDocument, fc.nat(), fc.string({ maxLength: 2 }), (original, at, put) => {
      const text = written(original);
      const index = at % text.length;
      orRefused(text.slice(0, index) + put + text.slice(index + 1));
      orRefused(text.slice(0, index));
    }), { numRuns: 100 });
  });

  test('any JSON at all', () => {
    fc.assert(fc.property(fc.json(), fc.constantFrom(...ENCODINGS_VERSIONS), (text, version) => {
      orRefused(text);
      orRefused(`{"version":"${version}","encodings":${text},"activation_encodings":${text},"param_encodings":${text}}`);
      orRefused(`{"version":"${version}","encodings":[{"name":"t","output_dtype":"int4","y_scale":${text}}],"activation_encodings":{"t":[${text}]},"param_encodings":{}}`);
    }));
  });
});
