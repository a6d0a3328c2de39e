/** The kernels reproduce what AIMET 2.42.0 computed, bit for bit, in both implementations. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadKernels, variants } from '../ts/index.js';
import { ensureAddon } from './built-addon.js';

ensureAddon();

interface Tensor {
  readonly shape: readonly [number, number];
  readonly bytes: Buffer;
}

function readTensors(name: string): Readonly<Record<string, Tensor>> {
  const file = readFileSync(fileURLToPath(new URL(`fixtures/aimet/${name}.safetensors`, import.meta.url)));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, start)) as Record<string, { shape: [number, number]; data_offsets: [number, number] }>;
  return Object.fromEntries(Object.entries(header).filter(([key]) => key !== '__metadata__').map(([key, { shape, data_offsets: [from, to] }]) => (
    [key, { shape, bytes: file.subarray(start + from, start + to) }]
  )));
}

function expectBytes(actual: ArrayBufferView, tensor: Tensor | undefined): void {
  expect(tensor).toBeDefined();
  expect(Buffer.from(actual.buffer, actual.byteOffset, actual.byteLength).equals(tensor?.bytes ?? Buffer.alloc(0))).toBe(true);
}

function unpack(packed: Uint8Array): Int8Array {
  return Int8Array.from({ length: packed.length * 2 }, (_, i) => (((packed[i >> 1] as number) >> (4 * (i & 1))) & 15) - 8);
}

const weight = readTensors('p1.w').W as Tensor;
const [n, k] = weight.shape;
const bits16 = new Uint16Array(new Uint8Array(weight.bytes).buffer);
const implementations = [loadKernels({ allow: 'typescript' }), ...variants().map((isa) => loadKernels({ allow: 'native', isa }))];

describe.each(implementations.map((kernels) => [kernels.identity().isa, kernels] as const))('%s', (_, kernels) => {
  const w = kernels.widenBf16(bits16);

  it.each([16, 32, 64])('LPBQ with blocks of %i', (block) => {
    const golden = readTensors(`p1.lpbq4-b${block}`);
    const quantized = kernels.quantizeLpbq(w, n, k, block);
    expectBytes(unpack(quantized.codes), golden.codes);
    expectBytes(quantized.blockScale, golden.int_scale);
    expectBytes(quantized.channelScale, golden.channel_scale);
    if (golden.dequantized === undefined) return;
    // AIMET keeps the -0 of a small negative weight; integer codes have one zero. Adding 0 makes them one.
    const expected = new Float32Array(new Uint8Array(golden.dequantized.bytes).buffer).map((x) => x + 0);
    expect(kernels.dequantizeLpbq(quantized, n, k, block)).toEqual(expected);
  });

  it.each([4, 8] as const)('per channel with %i bits', (bits) => {
    const golden = readTensors(`p1.pc${bits}`);
    const quantized = kernels.quantizePerChannel(w, n, k, bits);
    expectBytes(quantized.codes, golden.codes);
    expectBytes(quantized.scale, golden.scale);
  });
});
