import { readFileSync } from 'node:fs';
import type { Encodings, LpbqEncoding, ParameterEncoding, PerTensorEncoding } from '@tundish/graph';
import { describe, expect, test } from 'vitest';
import { writeEncodings100, writeEncodings200 } from '../src/index.js';

type Entry = Readonly<Record<string, unknown>> & { readonly name: string };
interface File100 {
  readonly version: string;
  readonly quantizer_args: object;
  readonly activation_encodings: readonly Entry[];
  readonly param_encodings: readonly Entry[];
}
interface File200 {
  readonly version: string;
  readonly encodings: readonly Entry[];
}

const aimet = <T>(version: string): T => JSON.parse(readFileSync(new URL(`fixtures/aimet-encodings/tiny_${version}.encodings`, import.meta.url), 'utf8')) as T;
const aimet100 = aimet<File100>('1.0.0');
const aimet200 = aimet<File200>('2.0.0');

/** AIMET's own numbers as our encodings; only the fields that carry information are read, and only from one of the files. */
function fromAimet(): Encodings {
  const parameters = new Map<string, ParameterEncoding>();
  for (const entry of aimet100.param_encodings) {
    const scale = Float32Array.from(entry['scale'] as number[]);
    if (entry['enc_type'] === 'PER_CHANNEL') parameters.set(entry.name, { kind: 'per-channel', dtype: 'int8', axis: 0, scale });
    else parameters.set(entry.name, { kind: 'lpbq', dtype: 'int4', blockSize: 32, channelScale: scale, blockScale: Uint8Array.from(entry['per_block_int_scale'] as number[]) });
  }
  const activations = new Map(aimet200.encodings.filter(({ output_dtype: type }) => type === 'uint16').map((entry): [string, PerTensorEncoding] => [
    entry.name,
    { kind: 'per-tensor', dtype: 'uint16', scale: entry['y_scale'] as number, zeroPoint: (entry['y_zero_point'] ?? 0) as number, symmetric: false },
  ]));
  return { activations, parameters };
}

const encodings = fromAimet();
const ours100 = JSON.parse([...writeEncodings100(encodings)].join('')) as File100;
const ours200 = JSON.parse([...writeEncodings200(encodings)].join('')) as File200;
const named = (entries: readonly Entry[], name: string): Entry | undefined => entries.find((entry) => entry.name === name);

/** AIMET stores scales in float64, we in float32. */
function expectClose(ours: Entry | undefined, theirs: Entry): void {
  expect(Object.keys(ours ?? {}).sort(), theirs.name).toEqual(Object.keys(theirs).sort());
  for (const [key, value] of Object.entries(theirs)) {
    const flat = (x: unknown): unknown[] => [x].flat(9);
    const shape = (x: unknown): number[] => (Array.isArray(x) ? [x.length, ...shape(x[0])] : []);
    const found = ours?.[key];
    expect(shape(found), `${theirs.name} ${key}`).toEqual(shape(value));
    flat(value).forEach((expected, i) => {
      const actual = flat(found)[i];
      expect(typeof actual, `${theirs.name} ${key} ${i}`).toBe(typeof expected);
      if (typeof expected === 'number' && key.endsWith('scale')) expect(Math.abs((actual as number) - expected)).toBeLessThanOrEqual(expected * 1e-7);
      else expect(actual, `${theirs.name} ${key} ${i}`).toBe(expected);
    });
  }
}

describe('1.0.0 beside a file of AIMET', () => {
  test.each(aimet100.param_encodings.map((entry) => [entry.name, entry] as const))('parameter %s', (name, entry) => {
    expectClose(named(ours100.param_encodings, name), entry);
  });

  test.each(aimet100.activation_encodings.map((entry) => [entry.name, entry] as const))('activation %s', (name, entry) => {
    expectClose(named(ours100.activation_encodings, name), entry);
  });

  test('the document says the same about itself', () => {
    expect(ours100.version).toBe(aimet100.version);
    expect(ours100.quantizer_args).toEqual(aimet100.quantizer_args);
  });
});

describe('2.0.0 beside a file of AIMET', () => {
  test.each(aimet200.encodings.filter(({ output_dtype: type }) => type === 'uint16').map((entry) => [entry.name, entry] as const))('activation %s', (name, entry) => {
    expectClose(named(ours200.encodings, name), entry);
  });

  test('an LPBQ weight [out, in]', () => {
    expectClose(named(ours200.encodings, 'w_gemm'), named(aimet200.encodings, 'w_gemm') as Entry);
  });

  test('an int8 weight [out, in] differs from AIMET\'s [in, out] in the axis alone', () => {
    expectClose(named(ours200.encodings, 'w_head'), { ...(named(aimet200.encodings, 'w_head') as Entry), axis: 0 });
  });

  test('a zero point of 0 is left out', () => {
    expect(Object.keys(named(ours200.encodings, 'sg') as Entry)).toEqual(['name', 'output_dtype', 'y_scale']);
    expect(ours200.version).toBe('2.0.0');
  });
});

test('both versions say the same scale and zero point of everything', () => {
  const offsets = (entry: Entry): number => (entry['offset'] as number[])[0] as number;
  for (const entry of ours100.activation_encodings) {
    const other = named(ours200.encodings, entry.name) as Entry;
    expect((entry['scale'] as number[])[0]).toBe(other['y_scale']);
    expect(-offsets(entry) + 0).toBe(other['y_zero_point'] ?? 0);
  }
  for (const entry of ours100.param_encodings.filter(({ enc_type: type }) => type === 'LPBQ')) {
    const other = named(ours200.encodings, entry.name) as Entry;
    expect([other['per_block_int_scale']].flat(9)).toEqual(entry['per_block_int_scale']);
    expect([other['per_channel_float_scale']].flat(9)).toEqual(entry['scale']);
  }
});

test('the cache: symmetric uint8, offset -128 in 1.0.0 and zero point 128 in 2.0.0', () => {
  const cache: Encodings = { activations: new Map([['past_key_0_out', { kind: 'per-tensor', dtype: 'uint8', scale: 0.5, zeroPoint: 128, symmetric: true }]]), parameters: new Map() };
  expect((JSON.parse([...writeEncodings100(cache)].join('')) as File100).activation_encodings).toEqual([
    { name: 'past_key_0_out', enc_type: 'PER_TENSOR', dtype: 'INT', bw: 8, is_sym: true, scale: [0.5], offset: [-128] },
  ]);
  expect((JSON.parse([...writeEncodings200(cache)].join('')) as File200).encodings).toEqual([{ name: 'past_key_0_out', output_dtype: 'uint8', y_scale: 0.5, y_zero_point: 128 }]);
});

test('names that JSON must escape survive, and the empty document is valid', () => {
  const name = '/a"b\\c\n\u2028';
  const weight: LpbqEncoding = { kind: 'lpbq', dtype: 'int4', blockSize: 16, channelScale: Float32Array.of(1), blockScale: Uint8Array.of(1, 16) };
  const hostile: Encodings = { activations: new Map(), parameters: new Map([[name, weight]]) };
  expect((JSON.parse([...writeEncodings100(hostile)].join('')) as File100).param_encodings[0]?.name).toBe(name);
  expect((JSON.parse([...writeEncodings200(hostile)].join('')) as File200).encodings[0]?.name).toBe(name);
  const empty: Encodings = { activations: new Map(), parameters: new Map() };
  expect((JSON.parse([...writeEncodings200(empty)].join('')) as File200).encodings).toEqual([]);
  expect((JSON.parse([...writeEncodings100(empty)].join('')) as File100).param_encodings).toEqual([]);
});
