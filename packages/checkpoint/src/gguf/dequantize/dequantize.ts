/** Blocks of any importable tensor type to floats. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../../errors.js';
import type { GgufTensor } from '../read-tensors.js';
import type { GgufTensorType } from '../tensor-types.js';
import { bf16, f16, f32 } from './floats.js';
import { iq4_nl, iq4_xs } from './iq4.js';
import { q6_k } from './k-large.js';
import { q4_k, q5_k } from './k-middle.js';
import { q2_k, q3_k } from './k-small.js';
import type { Kernel } from './kernel.js';
import { q4_0, q4_1 } from './q4.js';
import { q5_0, q5_1 } from './q5.js';
import { q8_0 } from './q8.js';

const KERNELS: ReadonlyMap<string, Kernel> = new Map([
  ['F32', f32],
  ['F16', f16],
  ['BF16', bf16],
  ['Q4_0', q4_0],
  ['Q4_1', q4_1],
  ['Q5_0', q5_0],
  ['Q5_1', q5_1],
  ['Q8_0', q8_0],
  ['Q2_K', q2_k],
  ['Q3_K', q3_k],
  ['Q4_K', q4_k],
  ['Q5_K', q5_k],
  ['Q6_K', q6_k],
  ['IQ4_NL', iq4_nl],
  ['IQ4_XS', iq4_xs],
]);

/** @throws TundishError GGUF_TYPE_UNSUPPORTED naming the first tensor that `dequantizeBlocks` does not know */
export function refuseUnknownTypes(path: string, tensors: readonly GgufTensor[]): void {
  const strange = tensors.find(({ type }) => !KERNELS.has(type.name));
  if (strange !== undefined) throw unsupported(`${path}: tensor ${printable(strange.name)}: type ${strange.type.name} cannot be dequantized`);
}

/**
 * Exactly the float32 values of ggml's `dequantize_row_*` (ggml-quants.c).
 *
 * @param type as the header of the file gives it
 * @param bytes whole blocks, little-endian
 * @param out as many elements as the blocks hold
 * @throws TundishError GGUF_TYPE_UNSUPPORTED; GGUF_TENSOR_INVALID when `bytes` and `out` do not fit together
 */
export function dequantizeBlocks(type: GgufTensorType, bytes: Uint8Array, out: Float32Array): void {
  const kernel = KERNELS.get(type.name);
  if (kernel === undefined) throw unsupported(`tensor type ${printable(type.name, 40)} cannot be dequantized`);
  const blocks = bytes.length / type.blockBytes;
  if (!Number.isInteger(blocks) || blocks * type.blockSize !== out.length) {
    throw fault('GGUF_TENSOR_INVALID', { what: `${bytes.length} bytes of ${type.name} are not ${out.length} elements (${type.blockBytes} bytes for ${type.blockSize})` });
  }
  kernel(bytes, out, blocks);
}

function unsupported(what: string): Error {
  return fault('GGUF_TYPE_UNSUPPORTED', {
    what: `${what}; known: ${[...KERNELS.keys()].join(' ')}`,
    fix: 'Take a file of the same model in one of the known types; Q8_0 and F16 lose the least.',
  });
}
