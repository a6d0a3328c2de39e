import { describe, expect, test } from 'vitest';
import { dequantizeBlocks, tensorTypeOf } from '../src/gguf/index.js';
import type { GgufTensorType } from '../src/gguf/index.js';
import { readSafetensorsHeader, readTensorBytes } from '../src/index.js';
import { repositoryPath } from './fixtures.js';

const GOLDEN = repositoryPath('test/fixtures/gguf/golden.safetensors');
const KINDS = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K', 'IQ4_NL', 'IQ4_XS', 'BF16'];

const header = await readSafetensorsHeader(GOLDEN);
const pairs = [...header.tensors.keys()].flatMap((name) => {
  const [type = '', kind = '', ...rest] = name.split('.');
  if (rest.length > 0 || kind === 'dequantized') return [];
  return [{ type, codes: name, values: kind === 'blocks' ? `${type}.dequantized` : `${name}.dequantized` }];
});

function typeNamed(name: string): GgufTensorType {
  const type = Array.from({ length: 64 }, (_, id) => tensorTypeOf(id)).find((candidate) => candidate !== undefined && 'name' in candidate && candidate.name === name);
  if (type === undefined || 'retired' in type) throw new TypeError(`no type ${name}`);
  return type;
}

async function bytesOf(name: string): Promise<Uint8Array> {
  const tensor = header.tensors.get(name);
  if (tensor === undefined) throw new TypeError(`the fixture lacks ${name}`);
  return readTensorBytes(GOLDEN, tensor);
}

describe('blocks become exactly the floats of the reference', () => {
  test('every type has vectors', () => expect(new Set(pairs.map(({ type }) => type))).toEqual(new Set(KINDS)));

  test.each(pairs)('$codes', async ({ type, codes, values }) => {
    const expected = await bytesOf(values);
    const out = new Float32Array(expected.length / 4);
    dequantizeBlocks(typeNamed(type), await bytesOf(codes), out);
    expect(Buffer.from(out.buffer).equals(expected)).toBe(true);
  });
});

test('F32 and F16', () => {
  const out = new Float32Array(3);
  dequantizeBlocks(typeNamed('F32'), new Uint8Array(Float32Array.of(1.1, -0, Infinity).buffer), out);
  expect([...out]).toEqual([Math.fround(1.1), -0, Infinity]);
  dequantizeBlocks(typeNamed('F16'), new Uint8Array(Uint16Array.of(0x3c01, 0x8001, 0x7bff).buffer), out);
  expect([...out]).toEqual([1 + 2 ** -10, -(2 ** -24), 65504]);
});

test('a type without a kernel is refused by name, and bytes that do not fit as well', () => {
  const out = new Float32Array(256);
  expect(() => dequantizeBlocks(typeNamed('IQ2_XS'), new Uint8Array(74), out)).toThrow(/tensor type IQ2_XS cannot be dequantized; known: F32 F16 BF16 Q4_0/);
  expect(() => dequantizeBlocks(typeNamed('Q8_0'), new Uint8Array(34), out)).toThrow(/34 bytes of Q8_0 are not 256 elements/);
  expect(() => dequantizeBlocks(typeNamed('Q8_0'), new Uint8Array(35), new Float32Array(32))).toThrow(/35 bytes of Q8_0/);
});
