/** Asymmetric min-max per tensor, 8 or 16 bit: embedding tables and norm gains. */
import { DataType, type PerTensorEncoding } from '@tundish/graph';
import { asymmetricUnsigned } from '../calibration/encoding-rules.js';
import type { Kernels } from '@tundish/native';
import type { QuantizedWeight } from '../quantized-weight.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowParts } from '../weight-source.js';

/** Quantizes `source` with one scale and zero point over all its elements; `dims` is the shape that the graph gives it. */
export async function quantizePerTensor(
  kernels: Kernels,
  source: WeightSource,
  bits: 8 | 16,
  dims: readonly number[],
  file: WeightFile,
): Promise<QuantizedWeight & { readonly kind: 'per-tensor' }> {
  let min = 0;
  let max = 0;
  for (const { values } of rowParts(source)) {
    const range = kernels.minMax(values);
    min = Math.min(min, range.min);
    max = Math.max(max, range.max);
  }
  return writeOnGrid(kernels, source, asymmetricUnsigned({ min, max }, bits), bits, dims, file);
}

/** The codes of `source` on a grid that is known. */
export async function writeOnGrid(
  kernels: Kernels,
  source: WeightSource,
  encoding: PerTensorEncoding,
  bits: 8 | 16,
  dims: readonly number[],
  file: WeightFile,
): Promise<QuantizedWeight & { readonly kind: 'per-tensor' }> {
  const bytes = bits / 8;
  const codes = file.reserve(bits === 8 ? DataType.UINT8 : DataType.UINT16, dims);
  for (const { from, values } of rowParts(source)) {
    const room = file.room(values.length * bytes);
    kernels.quantizeOnGrid(values, encoding, bits, undefined, bits === 8 ? room : new Uint16Array(room.buffer, room.byteOffset, values.length));
    await file.writeAt(codes.offset + from * source.columns * bytes, room);
  }
  return { kind: 'per-tensor', codes, encoding };
}
