import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { TundishError } from '@tundish/diagnostics';
import { afterAll, describe, expect, test } from 'vitest';
import { cpuMilliseconds } from '../../../test/fixtures/cpu-time.js';
import { readGgufHeader } from '../src/gguf/index.js';
import { badCases, badPath } from './fixtures.js';
import { tinyMetadata, tinyTensors, tinyTokenizer } from './gguf-tiny-llama.js';
import { writeGguf } from './gguf-writer.js';

/** Code and message of each refused file; every `error` case of the table needs a line here. */
const SAYS: Readonly<Record<string, readonly [string, RegExp]>> = {
  'empty': ['GGUF_TRUNCATED', /file is empty \(0 bytes\)/],
  'bad-magic': ['GGUF_NOT_GGUF', /not a GGUF file \(old GGML format\)/],
  'version-99': ['GGUF_VERSION_UNSUPPORTED', /version 99 is not supported \(2 and 3 are\)/],
  'version-big-endian': ['GGUF_VERSION_UNSUPPORTED', /big-endian file/],
  'truncated-magic': ['GGUF_TRUNCATED', /too short: 3 bytes/],
  'truncated-counts': ['GGUF_TRUNCATED', /too short: 13 bytes/],
  'truncated-kv': ['GGUF_TRUNCATED', /ends inside the name of key 1 of 2, after "general.architectu"/],
  'truncated-infos': ['GGUF_TRUNCATED', /ends inside tensor info 2 of 2/],
  'truncated-data': ['GGUF_TRUNCATED', /tensor b: needs bytes 256\.\.290, the file has 250/],
  'n-tensors-2pow63': ['GGUF_HEADER_INVALID', /absurd tensor count 9223372036854775808: [^]*Nothing was allocated/],
  'n-tensors-4e9': ['GGUF_HEADER_INVALID', /absurd tensor count 4000000000: a file of 320 bytes cannot hold so many/],
  'n-kv-2pow60': ['GGUF_HEADER_INVALID', /absurd key count 1152921504606846976/],
  'string-2pow62': ['GGUF_HEADER_INVALID', /string length 4611686018427387904 in [^]* exceeds the file/],
  'array-2pow61': ['GGUF_HEADER_INVALID', /array count 2305843009213693952 of key [^]* exceeds the file/],
  'array-nested': ['GGUF_HEADER_INVALID', /nested arrays are not supported/],
  'kv-type-77': ['GGUF_HEADER_INVALID', /unknown value type 77 of key /],
  'kv-duplicate': ['GGUF_HEADER_INVALID', /duplicate key general\.architecture/],
  'no-architecture': ['GGUF_METADATA_INVALID', /general\.architecture is missing/],
  'alignment-zero': ['GGUF_METADATA_INVALID', /general\.alignment must be a power of two, found 0/],
  'alignment-3': ['GGUF_METADATA_INVALID', /general\.alignment must be a power of two, found 3/],
  'tensor-duplicate': ['GGUF_TENSOR_INVALID', /duplicate tensor a/],
  'tensor-overlap': ['GGUF_LAYOUT_INVALID', /the offset of b must be 64, found 32/],
  'tensor-unaligned': ['GGUF_LAYOUT_INVALID', /offset 65 is not aligned to 32/],
  'tensor-out-of-range': ['GGUF_LAYOUT_INVALID', /offset 1099511627776 lies beyond the file/],
  'tensor-type-99': ['GGUF_TENSOR_INVALID', /unknown tensor type 99/],
  'tensor-type-retired': ['GGUF_TENSOR_INVALID', /retired tensor type 4 \(Q4_2\)/],
  'tensor-row-not-block': ['GGUF_TENSOR_INVALID', /row length 20 is not a multiple of 32/],
  'tensor-dims-9': ['GGUF_TENSOR_INVALID', /9 dimensions[^]*at most 4/],
  'tensor-dims-4e9': ['GGUF_TENSOR_INVALID', /4000000000 dimensions[^]*at most 4/],
  'tensor-dims-overflow': ['GGUF_TENSOR_INVALID', /element count of \[[\d,]+\] overflows/],
  'tensor-dims-negative': ['GGUF_TENSOR_INVALID', /dims must be positive, found \[[\d,]*-8/],
  'tensor-long-name': ['GGUF_TENSOR_INVALID', /name is longer than 63 bytes/],
  'is-safetensors': ['GGUF_NOT_GGUF', /not a GGUF file/],
};

const scratch = mkdtempSync(join(tmpdir(), 'tundish-gguf-'));
afterAll(() => rmSync(scratch, { recursive: true }));

async function failure(path: string): Promise<TundishError> {
  const error: unknown = await readGgufHeader(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TundishError)) throw error ?? new TypeError(`${path} was accepted`);
  return error;
}

describe('the table of bad GGUF files', () => {
  const cases = badCases('gguf');
  test.each(cases.filter((entry) => entry.expect === 'error'))('refuses $path: $wrong', async ({ path }) => {
    const [code, says] = SAYS[path.replace('.gguf', '')] ?? ['', /no expectation for this case/];
    const start = cpuMilliseconds();
    const error = await failure(badPath(`gguf/${path}`));
    expect(cpuMilliseconds() - start).toBeLessThan(1000);
    expect(error.message).toMatch(says);
    expect(error.code).toBe(code);
    expect(error.evidence.path).toBe(badPath(`gguf/${path}`));
    expect(error.fix).toBeTruthy();
  });

  test.each(cases.filter((entry) => entry.expect === 'ok'))('reads $path: $wrong', async ({ path }) => {
    const header = await readGgufHeader(badPath(`gguf/${path}`));
    expect([...header.tensors.values()].map(({ name, type, shape, length }) => [name, type.name, shape, length])).toEqual([
      ['a', 'F32', [2, 8], 64],
      ['b', 'Q8_0', [1, 32], 34],
    ]);
  });

  test('no case is of another kind', () => expect(cases.every(({ expect: outcome }) => outcome !== 'warn')).toBe(true));
});

test('the header is the one that @huggingface/gguf reads', async () => {
  const path = writeGguf(scratch, 'tiny.gguf', [...tinyMetadata(), ...tinyTokenizer(), ['general.big', 'u64', 2 ** 40], ['general.flag', 'bool', true]], tinyTensors());
  const header = await readGgufHeader(path);
  const reference = await gguf(path, { allowLocalFile: true });
  const { version, tensor_count: tensorCount, kv_count: keyCount, ...metadata } = reference.metadata as Record<string, unknown>;
  expect([version, tensorCount, keyCount]).toEqual([header.version, BigInt(header.tensors.size), BigInt(header.metadata.size)]);
  expect(Object.fromEntries([...header.metadata].map(([key, { value }]) => [key, key === 'general.big' ? BigInt(value as number) : value]))).toEqual(metadata);
  expect([...header.tensors.values()].map(({ name, shape, offset }) => [name, shape, offset])).toEqual(
    reference.tensorInfos.map(({ name, shape, offset }) => [name, [...shape].reverse().map(Number), Number(reference.tensorDataOffset + offset)]),
  );
});

test('a token that is a byte order mark stays one', async () => {
  const path = writeGguf(scratch, 'bom.gguf', [['general.architecture', 'string', 'llama'], ['t', 'string', ['\ufeff', '\ufeffa', '']]], []);
  expect((await readGgufHeader(path)).metadata.get('t')?.value).toEqual(['\ufeff', '\ufeffa', '']);
});

test('bytes that are not UTF-8 are refused instead of replaced', async () => {
  const path = writeGguf(scratch, 'latin1.gguf', [['general.architecture', 'string', 'llama'], ['t', 'string', [Buffer.from([0xff, 0x41])]]], []);
  expect((await failure(path)).message).toMatch(/a string in key t is not valid UTF-8/);
});

test('strings and numbers that cross the pieces of the reader arrive whole', async () => {
  const tokens = Array.from({ length: 60_000 }, (_, i) => `token ${i}`);
  const ids = tokens.map((_, i) => i * 7);
  const path = writeGguf(scratch, 'long.gguf', [['general.architecture', 'string', 'llama'], ['ids', 'u32', ids], ['tokens', 'string', tokens]], []);
  const { metadata } = await readGgufHeader(path);
  expect(metadata.get('ids')?.value).toEqual(ids);
  expect(metadata.get('tokens')?.value).toEqual(tokens);
});

test.each<[string, Buffer, RegExp]>([
  ['string', uint64(900_000_000), /the header is longer than 268435456 bytes/],
  ['array', Buffer.concat([uint64(1), Buffer.from('k'), Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]), uint64(900_000_000)]), /array count 900000000 of key k is too large/],
])('a %s that fills a sparse file is refused without being read', async (kind, claim, says) => {
  const path = join(scratch, `sparse-${kind}.gguf`);
  const start = readFileSync(writeGguf(scratch, 'start.gguf', [['general.architecture', 'string', 'llama']], [])).subarray(0, 24);
  writeFileSync(path, Buffer.concat([start, claim]));
  execFileSync('truncate', ['-s', '1000000000', path]);
  const before = process.memoryUsage.rss();
  expect((await failure(path)).message).toMatch(says);
  expect(process.memoryUsage.rss() - before).toBeLessThan(50_000_000);
});

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
