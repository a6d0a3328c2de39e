/** The encodings of the pipeline as a document that any version is written from. */
import type { JsonObject, JsonValue } from '@tundish/checkpoint';
import type { Encodings, ParameterEncoding, PerBlockEncoding, PerTensorEncoding } from '@tundish/graph';
import type { Bits, EncodingsDocument, EncodingsEntry, TensorEncoding } from './document.js';
import { fromOnnxZeroPoint, middleOf } from './offsets.js';

/** How AIMET describes its own files of this kind. @param bits of the narrowest weights */
function descriptionOf(bits: number): JsonObject {
  return new Map<string, JsonValue>([
    ['excluded_layers', []],
    ['quantizer_args', new Map<string, string | number | boolean>([['activation_bitwidth', 16], ['dtype', 'int'], ['is_symmetric', true], ['param_bitwidth', bits], ['per_channel_quantization', true], ['quant_scheme', 'min_max']])],
  ]);
}

const NOTHING: JsonObject = new Map();

/** Scales are shared, not copied. */
export function documentOf({ activations, parameters }: Encodings): EncodingsDocument {
  const entry = (role: EncodingsEntry['role']) => ([name, encoding]: readonly [string, ParameterEncoding]): EncodingsEntry => ({ name, role, encoding: formOf(encoding), extra: NOTHING });
  const widths = [...parameters.values()].flatMap((encoding) => (encoding.kind === 'per-tensor' ? [] : [bitsOf(encoding.dtype)]));
  return { version: '1.0.0', entries: [...[...activations].map(entry('activation')), ...[...parameters].map(entry('parameter'))], extra: descriptionOf(widths.length === 0 ? 4 : Math.min(...widths)) };
}

function formOf(encoding: ParameterEncoding): TensorEncoding {
  if (encoding.kind === 'per-tensor') return tensorForm(encoding);
  if (encoding.kind === 'per-channel') {
    const bits = bitsOf(encoding.dtype);
    return { kind: 'per-channel', grid: { bits, signed: true, symmetric: true }, scale: encoding.scale, zeroPoint: new Float64Array(encoding.scale.length).fill(middleOf(bits)), axis: encoding.axis };
  }
  if (encoding.kind === 'per-block') return blockForm(encoding);
  const { blockSize, channelScale, blockScale } = encoding;
  const shape = [channelScale.length, blockScale.length / channelScale.length];
  return { kind: 'lpbq', bits: 4, decompressedBits: 8, blockSize, channelScale, blockScale, layout: { shape, blockAxis: 1, channelAxis: 0 } };
}

function blockForm({ dtype, blockSize, scale, channels }: PerBlockEncoding): TensorEncoding {
  const bits = bitsOf(dtype);
  const layout = { shape: [channels, scale.length / channels], blockAxis: 1, channelAxis: 0 };
  return { kind: 'per-block', grid: { bits, signed: true, symmetric: true }, blockSize, scale, zeroPoint: new Float64Array(scale.length).fill(middleOf(bits)), layout };
}

function tensorForm({ dtype, scale, zeroPoint, symmetric, headScales }: PerTensorEncoding): TensorEncoding {
  const grid = { bits: bitsOf(dtype), signed: dtype.startsWith('int'), symmetric };
  return { kind: 'per-tensor', grid, scale, zeroPoint: fromOnnxZeroPoint(zeroPoint, grid), ...(headScales === undefined ? {} : { headScales }) };
}

function bitsOf(dtype: PerTensorEncoding['dtype'] | 'int4'): Bits {
  return Number(/\d+$/.exec(dtype)?.[0]) as Bits;
}
