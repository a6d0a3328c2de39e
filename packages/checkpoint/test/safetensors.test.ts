import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import { afterAll, describe, expect, test } from 'vitest';
import { cpuMilliseconds } from '../../../test/fixtures/cpu-time.js';
import { readSafetensorsHeader, readTensorBytes, widenToFloat32 } from '../src/index.js';
import { badCases, badPath } from './fixtures.js';

/** What the message of each refused file must say; every `error` and `warn` case of the table needs a line here. */
const SAYS: Readonly<Record<string, RegExp>> = {
  'empty': /file is empty \(0 bytes\), a safetensors file has at least 8/,
  'seven-bytes': /file has 7 bytes; the length field needs 8/,
  'truncated-header': /header claims \d+ bytes, the file holds \d+ after the length field/,
  'truncated-data': /tensor b: data_offsets 24\.\.48 end beyond the data section, which has 38 bytes[^]*download it again/,
  'header-longer-than-file': /header claims 5000 bytes, the file holds 7/,
  'header-200mb-claimed': /header length 200000000 is too large[^]*100,000,000/,
  'header-2pow63': /header length 9223372036854775813 is too large/,
  'header-all-ff': /header length 18446744073709551615 is too large/,
  'header-zero': /header is empty/,
  'header-not-json': /header is not valid JSON: a value was expected[^]*byte 24/,
  'header-array': /header must be an object/,
  'header-leading-space': /header must start with "\{"/,
  'header-non-utf8': /header is not valid UTF-8/,
  'header-deep-nesting': /nested deeper than 64 levels/,
  'duplicate-keys': /duplicate tensor name a/,
  'duplicate-fields': /duplicate field dtype in a/,
  'overlap': /tensors a and b overlap/,
  'same-range': /tensors a and b overlap/,
  'out-of-range': /tensor b: data_offsets \d+\.\.2424 end beyond the data section, which has 48 bytes/,
  'begin-after-end': /tensor a: data_offsets begin 48 after end 0/,
  'negative-offset': /data_offsets must be non-negative integers/,
  'fractional-offset': /data_offsets must be non-negative integers, found \d+\.\d+/,
  'offset-beyond-2pow53': /data_offsets: \d+ is out of range/,
  'dtype-size-mismatch': /tensor a: F16 \[12\] is 24 bytes, data_offsets span 48/,
  'shape-mismatch': /F32 \[3,5\] is 60 bytes/,
  'shape-overflow': /element count of F32 \[[\d,]+\] overflows/,
  'shape-negative': /shape dims must be non-negative integers/,
  'unknown-dtype': /tensor a: unknown dtype F7, known are BOOL U8/,
  'missing-field': /tensor a: shape is missing/,
  'metadata-not-strings': /__metadata__ must map strings to strings/,
  'hole': /gap of 16 bytes before b/,
  'trailing-bytes': /file has 32 bytes beyond the last tensor/,
  'is-a-pickle': /it looks like a torch zip\/pickle[^]*convert/,
  'git-lfs-pointer': /this is a Git LFS pointer[^]*git lfs pull/,
};

const scratch = mkdtempSync(join(tmpdir(), 'tundish-safetensors-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const fileOf = (name: string): string => badPath(`safetensors/${name}`);

async function failure(path: string): Promise<TundishError> {
  const error: unknown = await readSafetensorsHeader(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TundishError)) throw error ?? new TypeError(`${path} was accepted`);
  return error;
}

describe('the table of bad safetensors', () => {
  const cases = badCases('safetensors');
  test.each(cases.filter((entry) => entry.expect !== 'ok'))('refuses $path: $wrong', async ({ path }) => {
    const says = SAYS[path.replace('.safetensors', '')];
    const start = cpuMilliseconds();
    const error = await failure(fileOf(path));
    expect(cpuMilliseconds() - start).toBeLessThan(1000);
    expect(error.message).toMatch(says ?? 'no expectation for this case');
    expect(error.evidence.path).toBe(fileOf(path));
    expect(error.fix).toBeTruthy();
  });

  test.each(cases.filter((entry) => entry.expect === 'ok'))('reads $path: $wrong', async ({ path }) => {
    const header = await readSafetensorsHeader(fileOf(path));
    for (const tensor of header.tensors.values()) expect((await readTensorBytes(header.path, tensor)).byteLength).toBe(tensor.length);
  });
});

test('tensor bytes at an unaligned offset arrive aligned, whole and by rows', async () => {
  const header = await readSafetensorsHeader(fileOf('legal-unpadded-header.safetensors'));
  const [tensor] = [...header.tensors.values()];
  if (tensor === undefined) throw new TypeError('the fixture holds a tensor');
  expect(tensor.offset % 4).not.toBe(0);
  const whole = widenToFloat32('F32', await readTensorBytes(header.path, tensor));
  expect(whole).toHaveLength(tensor.length / 4);
  const row = (tensor.length / 4) / (tensor.shape[0] ?? 1);
  const last = { begin: (tensor.shape[0] ?? 1) - 1, end: tensor.shape[0] ?? 1 };
  expect(widenToFloat32('F32', await readTensorBytes(header.path, tensor, last))).toEqual(whole.slice(-row));
});

test('control values and shapes', async () => {
  const header = await readSafetensorsHeader(fileOf('control-good.safetensors'));
  expect([...header.tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([['a', [2, 3]], ['b', [6]]]);
  const scalar = await readSafetensorsHeader(fileOf('legal-zero-size-and-scalar.safetensors'));
  const s = scalar.tensors.get('s');
  expect(scalar.tensors.get('z')?.shape).toEqual([0, 4]);
  expect(s === undefined ? [] : [...widenToFloat32('F32', await readTensorBytes(scalar.path, s))]).toEqual([1]);
});

test('hostile tensor names stay plain keys', async () => {
  const { tensors } = await readSafetensorsHeader(fileOf('legal-hostile-names.safetensors'));
  expect(tensors.size).toBe(5);
  expect(tensors.has('__proto__')).toBe(true);
  expect(({} as Record<string, unknown>)['dtype']).toBeUndefined();
});

test('a directory, a missing file and a file that shrinks', async () => {
  expect((await failure(scratch)).message).toMatch(/is a directory, a file was expected/);
  expect((await failure(join(scratch, 'nothing'))).code).toBe('CHECKPOINT_FILE_NOT_FOUND');
  const path = join(scratch, 'shrinks.safetensors');
  const json = '{"a":{"dtype":"F32","shape":[64],"data_offsets":[0,256]}}';
  const length = Buffer.alloc(8);
  length.writeUInt32LE(json.length);
  writeFileSync(path, Buffer.concat([length, Buffer.from(json), Buffer.alloc(256)]));
  const tensor = (await readSafetensorsHeader(path)).tensors.get('a');
  truncateSync(path, 100);
  if (tensor === undefined) throw new TypeError('just written');
  await expect(readTensorBytes(path, tensor)).rejects.toThrow(/became shorter while it was read/);
});

test('a real header beyond the limit is refused without being read', async () => {
  const path = join(scratch, 'sparse.safetensors');
  const length = Buffer.alloc(8);
  length.writeUInt32LE(200_000_000);
  writeFileSync(path, length);
  execFileSync('truncate', ['-s', '250000000', path]);
  const before = process.memoryUsage.rss();
  expect((await failure(path)).message).toMatch(/header length 200000000 is too large/);
  expect(process.memoryUsage.rss() - before).toBeLessThan(50_000_000);
});
