/** Encodings files of AIMET in every version: read, written, converted. */
import { readFileSync } from 'node:fs';
import type { Encodings, LpbqEncoding, PerBlockEncoding } from '@tundish/graph';
import { describe, expect, test } from 'vitest';
import { type EncodingsDocument, type EncodingsVersion, documentOf, isSameEncoding, parseEncodings, readEncodingsFile, writeEncodings } from '../src/index.js';
import { repositoryPath } from './adapted.js';
import { aimetGraph } from './aimet-graph.js';

const FOLDER = repositoryPath('packages/quantize/test/fixtures/aimet-encodings');
const FILES = ['tiny_1.0.0', 'tiny_2.0.0', 'tiny_2.0.0_signed', 'tiny_bq_1.0.0', 'tiny_bq_2.0.0', 'tiny_pc_0.6.1', 'tiny_pc_1.0.0', 'tiny_pc_2.0.0', 'torch_1.0.0'];

const textOf = (name: string): string => readFileSync(`${FOLDER}/${name}.encodings`, 'utf8');
const written = (document: EncodingsDocument, version?: EncodingsVersion): string => [...writeEncodings(document, version)].join('');
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

const graph = aimetGraph();

/** The single entries of aimet-torch as a file. */
function torchEntries(version: '1.0.0' | '2.0.0' | '2.1.0'): string {
  const entries = (JSON.parse(readFileSync(`${FOLDER}/torch_entries.json`, 'utf8')) as Record<string, Record<string, object>>)[version] as Record<string, object>;
  const list = Object.entries(entries).map(([name, entry]) => ({ name, ...entry }));
  return JSON.stringify(version === '1.0.0' ? { version, activation_encodings: [], param_encodings: list } : { version, encodings: list });
}

/** Entries of `a` that are not the same in `b`, by name. */
function differences(a: EncodingsDocument, b: EncodingsDocument): string[] {
  return a.entries.filter((entry) => {
    const other = b.entries.find(({ name, role }) => name === entry.name && (role === undefined || entry.role === undefined || role === entry.role));
    return other === undefined || !isSameEncoding(entry.encoding, other.encoding);
  }).map(({ name }) => name);
}

describe('a file of AIMET is written as it was read', () => {
  test.each(FILES)('%s, value by value, producer and all', (name) => {
    expect(JSON.parse(written(parseEncodings(textOf(name))))).toEqual(JSON.parse(textOf(name)));
  });

  test.each(['1.0.0', '2.0.0', '2.1.0'] as const)('entries of aimet-torch in %s, with axes from the back', (version) => {
    expect(JSON.parse(written(parseEncodings(torchEntries(version))))).toEqual(JSON.parse(torchEntries(version)));
  });

  test.each(FILES)('%s, read together with a graph', (name) => {
    expect(JSON.parse(written(parseEncodings(textOf(name), { graph })))).toEqual(JSON.parse(textOf(name)));
  });

  test('unknown fields of the file and of an entry stay', () => {
    const file = { version: '2.0.0', note: { 'a"b': [1, null, { deep: true }] }, encodings: [{ name: 't', output_dtype: 'uint8', y_scale: 0.5, y_zero_point: 3, by: 'hand' }] };
    expect(JSON.parse(written(parseEncodings(JSON.stringify(file))))).toEqual(file);
    expect(() => written(parseEncodings(JSON.stringify({ ...file, encodings: [{ ...file.encodings[0], axis: 0 }] })), '2.1.0')).toThrow(code('ENCODINGS_NOT_EXPRESSIBLE'));
  });
});

describe('versions say the same', () => {
  test.each([['tiny_1.0.0', 'tiny_2.0.0'], ['tiny_2.0.0', 'tiny_2.0.0_signed'], ['tiny_bq_1.0.0', 'tiny_bq_2.0.0'], ['tiny_pc_0.6.1', 'tiny_pc_1.0.0'], ['tiny_pc_1.0.0', 'tiny_pc_2.0.0']])('%s and %s of one graph', (a, b) => {
    const [first, second] = [a, b].map((name) => parseEncodings(textOf(name), { graph })) as [EncodingsDocument, EncodingsDocument];
    expect(differences(first, second)).toEqual([]);
  });

  test('the entries of aimet-torch in three versions', () => {
    const [first, ...others] = (['2.1.0', '2.0.0', '1.0.0'] as const).map((version) => parseEncodings(torchEntries(version)));
    for (const other of others) expect(differences(first as EncodingsDocument, other)).toEqual([]);
  });

  test.each([['"per_block_int_scale":[16', '"per_block_int_scale":[15'], ['"scale":[0.00228', '"scale":[0.00229'], ['[-32710]', '[-32709]']])('%s and %s differ', (from, to) => {
    const text = written(parseEncodings(textOf('tiny_1.0.0')));
    expect(text).toContain(from);
    expect(differences(parseEncodings(text), parseEncodings(text.replace(from, to)))).toHaveLength(1);
  });
});

describe('conversions of AIMET\'s files', () => {
  test.each([['tiny_1.0.0', '2.0.0'], ['tiny_1.0.0', '2.1.0'], ['tiny_bq_1.0.0', '2.0.0'], ['tiny_2.0.0', '1.0.0'], ['tiny_2.0.0_signed', '1.0.0'], ['tiny_bq_2.0.0', '1.0.0'], ['tiny_bq_2.0.0', '2.1.0'], ['tiny_pc_0.6.1', '1.0.0'], ['tiny_pc_0.6.1', '2.1.0'], ['tiny_pc_2.0.0', '0.6.1'], ['tiny_pc_1.0.0', '0.6.1']] as const)('%s to %s and back', (name, version) => {
    const document = parseEncodings(textOf(name), { graph });
    const converted = parseEncodings(written(document, version), { graph });
    expect(converted.version).toBe(version);
    expect(differences(document, converted)).toEqual([]);
    expect(differences(document, parseEncodings(written(converted, document.version), { graph }))).toEqual([]);
  });

  test('AIMET\'s own 2.0.0 is met to the last field from its 1.0.0, where both have the tensor', () => {
    const ours = new Map((JSON.parse(written(parseEncodings(textOf('tiny_1.0.0'), { graph }), '2.0.0')) as { encodings: { name: string }[] }).encodings.map((entry) => [entry.name, entry]));
    const theirs = (JSON.parse(textOf('tiny_2.0.0')) as { encodings: { name: string }[] }).encodings.filter(({ name }) => ours.has(name));
    expect(theirs).toHaveLength(ours.size);
    for (const entry of theirs) expect(ours.get(entry.name)).toEqual(entry);
  });

  test('min and max of 0.6.1 are made as AIMET has them', () => {
    type File = Readonly<Record<'activation_encodings' | 'param_encodings', Record<string, Record<'min' | 'max' | 'scale', number>[]>>>;
    const ours = JSON.parse(written(parseEncodings(textOf('tiny_pc_1.0.0')), '0.6.1')) as File;
    const theirs = JSON.parse(textOf('tiny_pc_0.6.1')) as File;
    for (const table of ['activation_encodings', 'param_encodings'] as const) {
      expect(Object.keys(ours[table]).sort()).toEqual(Object.keys(theirs[table]).sort());
      for (const [name, channels] of Object.entries(theirs[table])) {
        channels.forEach((channel, i) => {
          const own = ours[table][name]?.[i] as typeof channel;
          expect(Object.keys(own).sort()).toEqual(Object.keys(channel).sort());
          for (const bound of ['min', 'max'] as const) expect(Math.abs(own[bound] - channel[bound]), `${name} ${bound}`).toBeLessThanOrEqual(channel.scale * 1e-2);
        });
      }
    }
  });

  test.each([
    ['tiny_1.0.0', '0.6.1', 'w_matmul cannot be written as 0.6.1', /scales of blocks/],
    ['tiny_1.0.0', '2.0.0', 'w_matmul cannot be written as 2.0.0', /order its weight is stored/],
    ['tiny_pc_1.0.0', '2.1.0', 'w_matmul cannot be written as 2.1.0', /which axis/],
    ['tiny_2.0.0', '1.0.0', 'x cannot be written as 1.0.0', /activation or a parameter/],
  ] as const)('%s without its graph as %s is refused by name', (name, version, what, why) => {
    expect(() => written(parseEncodings(textOf(name)), version)).toThrow(expect.objectContaining({ code: 'ENCODINGS_NOT_EXPRESSIBLE', what, why: expect.stringMatching(why) as string }) as Error);
  });
});

describe('the graph checks what a file says', () => {
  test.each([
    ['tiny_1.0.0', '"block_size":32', '"block_size":16', 'ENCODINGS_SHAPE'],
    ['tiny_1.0.0', '"block_size":32', '"block_size":5', 'ENCODINGS_SHAPE'],
    ['tiny_2.0.0', '"axis":0,"block_size":32', '"axis":1,"block_size":32', 'ENCODINGS_SHAPE'],
    ['tiny_pc_2.0.0', '"axis":1', '"axis":0', 'ENCODINGS_SHAPE'],
    ['tiny_bq_2.0.0', '"block_size":32', '"block_size":64', 'ENCODINGS_SHAPE'],
  ] as const)('%s with %s as %s', (name, from, to, expected) => {
    const text = written(parseEncodings(textOf(name)));
    expect(text).toContain(from);
    expect(() => parseEncodings(text.replace(from, to), { graph })).toThrow(code(expected));
  });

  test('a weight with a channel too few', () => {
    const file = JSON.parse(textOf('tiny_pc_2.0.0')) as { encodings: { name: string; y_scale: number[] }[] };
    file.encodings.find(({ name }) => name === 'w_head')?.y_scale.pop();
    expect(() => parseEncodings(JSON.stringify(file), { graph })).toThrow(expect.objectContaining({ code: 'ENCODINGS_SHAPE', what: expect.stringMatching(/^w_head: y_scale has 49 channels/) as string }) as Error);
    expect(parseEncodings(JSON.stringify(file)).entries).not.toHaveLength(0);
  });

  test('tables are told apart in versions 2', () => {
    const roles = (document: EncodingsDocument): string[] => document.entries.filter(({ role }) => role === 'parameter').map(({ name }) => name).sort();
    expect(roles(parseEncodings(textOf('tiny_2.0.0'), { graph }))).toEqual(['b_gemm', 'w_conv', 'w_gemm', 'w_head', 'w_matmul']);
    expect(parseEncodings(textOf('tiny_2.0.0'), { graph }).entries.every(({ role }) => role !== undefined)).toBe(true);
  });
});

describe('files', () => {
  test('are read from disk', async () => {
    expect((await readEncodingsFile(`${FOLDER}/tiny_1.0.0.encodings`)).entries).toHaveLength(11);
    await expect(readEncodingsFile(`${FOLDER}/none.encodings`)).rejects.toThrow(code('ENCODINGS_UNREADABLE'));
    await expect(readEncodingsFile(FOLDER)).rejects.toThrow(code('ENCODINGS_UNREADABLE'));
    await expect(readEncodingsFile(`${FOLDER}/README.md`)).rejects.toThrow(code('ENCODINGS_NOT_JSON'));
  });
});

describe('encodings of the pipeline', () => {
  const cache: Encodings = { activations: new Map([['past_key_0_out', { kind: 'per-tensor', dtype: 'uint8', scale: 0.5, zeroPoint: 128, symmetric: true }]]), parameters: new Map() };

  test('the cache: symmetric uint8, offset -128 in 1.0.0 and zero point 128 in 2.0.0', () => {
    expect((JSON.parse(written(documentOf(cache), '1.0.0')) as Record<string, unknown>)['activation_encodings']).toEqual([
      { name: 'past_key_0_out', enc_type: 'PER_TENSOR', dtype: 'INT', bw: 8, is_sym: true, scale: [0.5], offset: [-128] },
    ]);
    expect((JSON.parse(written(documentOf(cache), '2.0.0')) as Record<string, unknown>)['encodings']).toEqual([{ name: 'past_key_0_out', output_dtype: 'uint8', y_scale: 0.5, y_zero_point: 128 }]);
  });

  test('weights [out, in]: LPBQ and channels in every version that has them', () => {
    const lpbq: LpbqEncoding = { kind: 'lpbq', dtype: 'int4', blockSize: 16, channelScale: Float32Array.of(0.5, 0.25), blockScale: Uint8Array.of(1, 2, 3, 16, 15, 14) };
    const document = documentOf({ activations: new Map(), parameters: new Map([['w', lpbq], ['head', { kind: 'per-channel', dtype: 'int8', axis: 0, scale: Float32Array.of(1, 2, 4) }]]) });
    expect(JSON.parse(written(document, '2.0.0'))).toEqual({ version: '2.0.0', encodings: [
      { name: 'w', output_dtype: 'int4', axis: 1, block_size: 16, per_block_int_scale: [[1, 2, 3], [16, 15, 14]], per_channel_float_scale: [[0.5], [0.25]] },
      { name: 'head', output_dtype: 'int8', axis: 0, y_scale: [1, 2, 4] },
    ] });
    expect((JSON.parse(written(document, '1.0.0')) as Record<string, unknown>)['param_encodings']).toEqual([
      { name: 'w', enc_type: 'LPBQ', dtype: 'INT', bw: 8, is_sym: true, scale: [0.5, 0.25], offset: [-128, -128], block_size: 16, compressed_bw: 4, per_block_int_scale: [1, 2, 3, 16, 15, 14] },
      { name: 'head', enc_type: 'PER_CHANNEL', dtype: 'INT', bw: 8, is_sym: true, scale: [1, 2, 4], offset: [-128, -128, -128] },
    ]);
    for (const version of ['1.0.0', '2.0.0', '2.1.0'] as const) expect(differences(document, parseEncodings(written(document, version)))).toEqual([]);
  });

  test('float scales of blocks, and channels of 4 bits, with the width of the weights in the description', () => {
    const block: PerBlockEncoding = { kind: 'per-block', dtype: 'int8', blockSize: 16, channels: 2, scale: Float32Array.of(1, 2, 4, 8) };
    const document = documentOf({ activations: new Map(), parameters: new Map([['w', block], ['v', { kind: 'per-channel', dtype: 'int4', axis: 0, scale: Float32Array.of(1, 2) }]]) });
    expect(JSON.parse(written(document, '2.0.0'))).toEqual({ version: '2.0.0', encodings: [
      { name: 'w', output_dtype: 'int8', axis: 1, block_size: 16, y_scale: [[1, 2], [4, 8]] },
      { name: 'v', output_dtype: 'int4', axis: 0, y_scale: [1, 2] },
    ] });
    expect(JSON.parse(written(document, '1.0.0'))).toMatchObject({
      quantizer_args: { param_bitwidth: 4 },
      param_encodings: [
        { name: 'w', enc_type: 'PER_BLOCK', dtype: 'INT', bw: 8, is_sym: true, scale: [1, 2, 4, 8], offset: [-128, -128, -128, -128], block_size: 16 },
        { name: 'v', enc_type: 'PER_CHANNEL', dtype: 'INT', bw: 4, is_sym: true, scale: [1, 2], offset: [-8, -8] },
      ],
    });
    expect(JSON.parse(written(documentOf({ activations: new Map(), parameters: new Map([['w', block]]) }), '1.0.0'))).toMatchObject({ quantizer_args: { param_bitwidth: 8 } });
    for (const version of ['1.0.0', '2.0.0', '2.1.0'] as const) expect(differences(document, parseEncodings(written(document, version)))).toEqual([]);
  });

  test('the file says of itself what AIMET\'s does, and the empty one is valid', () => {
    const empty = documentOf({ activations: new Map(), parameters: new Map() });
    const { quantizer_args: ours } = JSON.parse(written(empty, '1.0.0')) as Record<string, unknown>;
    expect(ours).toEqual((JSON.parse(textOf('tiny_1.0.0')) as Record<string, unknown>)['quantizer_args']);
    for (const version of ['0.6.1', '1.0.0', '2.0.0', '2.1.0'] as const) expect(parseEncodings(written(empty, version)).entries).toEqual([]);
    expect(Object.keys(JSON.parse(written(empty, '2.0.0')) as object)).toEqual(['encodings', 'version']);
  });
});
