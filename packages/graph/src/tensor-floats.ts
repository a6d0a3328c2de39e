/** Values of stored tensors as float32. */
import { DataType as T, elementCount } from './data-type.js';
import { type HalfDecoder, typescriptDecoder } from './half-floats.js';
import type { Tensor } from './tensor.js';

/** Where values go, and how they get there. */
export interface FloatTarget {
  /** Of as many elements as there are values; without it their array is new. */
  readonly out?: Float32Array;
  /** TypeScript without it. */
  readonly decoder?: HalfDecoder;
}

/** BFLOAT16, FLOAT16, FLOAT and UINT8, all of which are exact; undefined for other types. Never a view of `bytes`. */
export function tensorFloats({ dtype, dims }: Tensor, bytes: Uint8Array, { out, decoder = typescriptDecoder }: FloatTarget = {}): Float32Array | undefined {
  if (dtype !== T.BFLOAT16 && dtype !== T.FLOAT16 && dtype !== T.FLOAT && dtype !== T.UINT8) return undefined;
  const count = elementCount(dims);
  const floats = out ?? new Float32Array(count);
  if (dtype === T.BFLOAT16) decoder.bfloat16(halvesOf(bytes, count), floats);
  else if (dtype === T.FLOAT16) decoder.float16(halvesOf(bytes, count), floats);
  else if (dtype === T.UINT8) floats.set(bytes);
  // The bytes may begin anywhere in a buffer.
  else new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength).set(bytes);
  return floats;
}

/** Elements of two bytes, little-endian as all processors that this runs on; those at odd addresses are moved. */
function halvesOf(bytes: Uint8Array, count: number): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice(0, 2 * count);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, count);
}
