/** Writes encodings 1.0.0, the version that Qualcomm's tools and published models use. Layout: docs/formats/encodings.md. */
import type { Encodings, ParameterEncoding, PerTensorEncoding } from '@tundish/graph';

/** Offsets follow AIMET: real = (code + offset) * scale with unsigned codes, so offset = -zero point, or -2^(bits-1). */
interface Entry100 {
  readonly name: string;
  readonly enc_type: 'PER_TENSOR' | 'PER_CHANNEL' | 'LPBQ';
  readonly dtype: 'INT';
  readonly bw: number;
  readonly is_sym: boolean;
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  readonly block_size?: number;
  readonly compressed_bw?: number;
  readonly per_block_int_scale?: readonly number[];
}

/** The document as pieces of text, one entry at a time: at real sizes the whole is too long for one string. */
export function* writeEncodings100(encodings: Encodings): Generator<string> {
  yield '{"activation_encodings":[\n';
  yield* entries([...encodings.activations].map(([name, encoding]) => () => perTensor(name, encoding)));
  yield '],"excluded_layers":[],"param_encodings":[\n';
  yield* entries([...encodings.parameters].map(([name, encoding]) => () => parameter(name, encoding)));
  yield '],"quantizer_args":{"activation_bitwidth":16,"dtype":"int","is_symmetric":true,"param_bitwidth":4,"per_channel_quantization":true,"quant_scheme":"min_max"},"version":"1.0.0"}\n';
}

function* entries(makers: readonly (() => Entry100)[]): Generator<string> {
  for (const [i, make] of makers.entries()) yield `${JSON.stringify(make())}${i + 1 < makers.length ? ',' : ''}\n`;
}

function perTensor(name: string, encoding: PerTensorEncoding): Entry100 {
  const bw = encoding.dtype.endsWith('16') ? 16 : 8;
  const unsigned = encoding.dtype.startsWith('u');
  const offset = unsigned ? -encoding.zeroPoint : -(2 ** (bw - 1));
  return { name, enc_type: 'PER_TENSOR', dtype: 'INT', bw, is_sym: encoding.symmetric, scale: [encoding.scale], offset: [offset] };
}

function parameter(name: string, encoding: ParameterEncoding): Entry100 {
  if (encoding.kind === 'per-tensor') return perTensor(name, encoding);
  if (encoding.kind === 'per-channel') {
    const bw = Number(encoding.dtype.slice(3));
    return { name, enc_type: 'PER_CHANNEL', dtype: 'INT', bw, is_sym: true, scale: [...encoding.scale], offset: Array.from(encoding.scale, () => -(2 ** (bw - 1))) };
  }
  // `bw` is the width after decompression: code * block scale is an exact int8.
  return {
    name, enc_type: 'LPBQ', dtype: 'INT', bw: 8, is_sym: true,
    scale: [...encoding.channelScale], offset: Array.from(encoding.channelScale, () => -128),
    block_size: encoding.blockSize, compressed_bw: 4, per_block_int_scale: [...encoding.blockScale],
  };
}
