/** Tensor bytes by range, and their values: exact widening to float32, and a search for NaN and infinity. */
import type { FloatDtype } from './dtype.js';
import { openRegularFile, readRange } from './read-file.js';

/** A byte range of a tensor file: `offset` absolute, `shape[0]` rows of equal size. */
export interface TensorRange {
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads a tensor, or some of its rows, from the file.
 *
 * @param rows half-open range along axis 0; the caller keeps it inside the shape
 * @returns a copy in an ArrayBuffer of its own, so that any typed-array view is aligned
 * @throws TundishError CHECKPOINT_FILE_NOT_FOUND, CHECKPOINT_FILE_UNREADABLE (also when the file shrank)
 */
export async function readTensorBytes(path: string, tensor: TensorRange, rows?: { readonly begin: number; readonly end: number }): Promise<Uint8Array<ArrayBuffer>> {
  const rowBytes = tensor.length / Math.max(1, tensor.shape[0] ?? 1);
  const begin = rows === undefined ? 0 : rows.begin * rowBytes;
  const end = rows === undefined ? tensor.length : rows.end * rowBytes;
  const { handle } = await openRegularFile(path);
  try {
    return await readRange(handle, path, tensor.offset + begin, end - begin);
  } finally {
    await handle.close();
  }
}

/**
 * Little-endian BF16, F16 or F32 to float32. Every value of the three types is a float32 value, so nothing is rounded;
 * NaN payloads are kept.
 */
export function widenToFloat32(dtype: FloatDtype, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') return new Float32Array(aligned(bytes, 4).slice().buffer);
  const codes = halves(bytes);
  const bits = new Uint32Array(codes.length);
  if (dtype === 'BF16') for (let i = 0; i < codes.length; i++) bits[i] = (codes[i] ?? 0) << 16;
  else for (let i = 0; i < codes.length; i++) bits[i] = halfToFloatBits(codes[i] ?? 0);
  return new Float32Array(bits.buffer);
}

/** How many NaN and infinities there are, and the flat index of the first (-1 when there is none). */
export function findNonFinite(dtype: FloatDtype, bytes: Uint8Array): { readonly count: number; readonly first: number } {
  const wide = dtype === 'F32';
  const mask = wide ? 0x7f80_0000 : dtype === 'BF16' ? 0x7f80 : 0x7c00;
  const source = wide ? aligned(bytes, 4) : undefined;
  const codes = source === undefined ? halves(bytes) : new Uint32Array(source.buffer, source.byteOffset, source.byteLength / 4);
  let count = 0;
  let first = -1;
  for (let i = 0; i < codes.length; i++) {
    if (((codes[i] ?? 0) & mask) !== mask) continue;
    if (count === 0) first = i;
    count += 1;
  }
  return { count, first };
}

/** IEEE 754 binary16 to the bits of the same number in binary32. */
function halfToFloatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f80_0000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal: shift the leading one up to the implicit bit.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function halves(bytes: Uint8Array): Uint16Array {
  const source = aligned(bytes, 2);
  return new Uint16Array(source.buffer, source.byteOffset, source.byteLength / 2);
}

function aligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : bytes.slice();
}
