/** Asymmetric min-max per tensor, 8 or 16 bit: embedding tables and norm gains. */
import { DataType, type PerTensorEncoding, bytesOf } from '@tundish/graph';
import { asymmetricUnsigned } from '../calibration/encoding-rules.js';
import type { Kernels } from '@tundish/native';
import type { QuantizedWeight } from '../quantized-weight.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowChunks } from '../weight-source.js';

/** Quantizes `source` with one scale and zero point over all its elements; `dims` is the shape that the graph gives it. */
export async function quantizePerTensor(
  kernels: Kernels,
  source: WeightSource,
  bits: 8 | 16,
  dims: readonly number[],
  file: WeightFile,
): Promise<QuantizedWeight & { readonly kind: 'per-tensor' }> {
  const chunks = rowChunks(source.rows, source.columns);
  let min = 0;
  let max = 0;
  for (const { from, to } of chunks) {
    const range = kernels.minMax(source.read(from, to));
    min = Math.min(min, range.min);
    max = Math.max(max, range.max);
  }
  const encoding = asymmetricUnsigned({ min, max }, bits);
  const codes = file.reserve(bits === 8 ? DataType.UINT8 : DataType.UINT16, dims);
  for (const { from, to } of chunks) {
    await file.writeAt(codes.offset + from * source.columns * (bits / 8), bytesOf(codesOf(source.read(from, to), encoding)));
  }
  return { kind: 'per-tensor', codes, encoding };
}

/** Added to and taken from a double, it rounds to an integer, ties to even, for |x| < 2^51. */
const ROUND = 1.5 * 2 ** 52;

/** Codes of `values` as ONNX QuantizeLinear gives them: saturate(rint(fp32(w / scale)) + zeroPoint). */
export function codesOf(values: Float32Array, encoding: PerTensorEncoding): Uint8Array | Uint16Array {
  const { scale, zeroPoint } = encoding;
  const top = encoding.dtype === 'uint8' ? 255 : 65535;
  const codes = encoding.dtype === 'uint8' ? new Uint8Array(values.length) : new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const code = Math.fround((values[i] as number) / scale) + ROUND - ROUND + zeroPoint;
    codes[i] = code < 0 ? 0 : code > top ? top : code;
  }
  return codes;
}
