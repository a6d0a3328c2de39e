/** Asymmetric min-max per tensor, 8 or 16 bit: embedding tables and norm gains. */
import { DataType, bytesOf } from '@tundish/graph';
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
  const encoding = asymmetricUnsigned({ min, max }, bits);
  const codes = file.reserve(bits === 8 ? DataType.UINT8 : DataType.UINT16, dims);
  for (const { from, values } of rowParts(source)) {
    await file.writeAt(codes.offset + from * source.columns * (bits / 8), bytesOf(kernels.quantizeOnGrid(values, encoding, bits)));
  }
  return { kind: 'per-tensor', codes, encoding };
}
