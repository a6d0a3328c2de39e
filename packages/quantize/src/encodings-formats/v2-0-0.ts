/** Writes encodings 2.0.0, aligned with ONNX QuantizeLinear. Layout: docs/formats/encodings.md. */
import type { Encodings, LpbqEncoding, ParameterEncoding, PerTensorEncoding } from '@tundish/graph';

/** The document as pieces of text, one entry at a time. */
export function* writeEncodings200(encodings: Encodings): Generator<string> {
  const makers = [
    ...[...encodings.activations].map(([name, encoding]) => () => perTensor(name, encoding)),
    ...[...encodings.parameters].map(([name, encoding]) => () => parameter(name, encoding)),
  ];
  yield '{"encodings":[\n';
  for (const [i, make] of makers.entries()) yield `${JSON.stringify(make())}${i + 1 < makers.length ? ',' : ''}\n`;
  yield '],"version":"2.0.0"}\n';
}

function perTensor(name: string, encoding: PerTensorEncoding): object {
  const zero = encoding.zeroPoint === 0 ? {} : { y_zero_point: encoding.zeroPoint };
  return { name, output_dtype: encoding.dtype, y_scale: encoding.scale, ...zero };
}

function parameter(name: string, encoding: ParameterEncoding): object {
  if (encoding.kind === 'per-tensor') return perTensor(name, encoding);
  if (encoding.kind === 'per-channel') return { name, output_dtype: encoding.dtype, y_scale: [...encoding.scale], axis: 0 };
  return {
    name, output_dtype: 'int4', axis: 1, block_size: encoding.blockSize,
    per_block_int_scale: blockRows(encoding), per_channel_float_scale: Array.from(encoding.channelScale, (scale) => [scale]),
  };
}

/** [out][blocks], the storage order of an `[out,in]` weight. */
function blockRows(encoding: LpbqEncoding): number[][] {
  const rows = encoding.channelScale.length;
  const blocks = encoding.blockScale.length / rows;
  return Array.from({ length: rows }, (_, row) => [...encoding.blockScale.subarray(row * blocks, (row + 1) * blocks)]);
}
