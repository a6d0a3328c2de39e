/**
 * Quantization parameters, kept beside the graph and keyed by value name. File formats (0.6.1 … 2.1.0) are read and
 * written elsewhere; this is the one form that stages hand to each other.
 */

/**
 * Affine integer encoding of an activation or of a whole tensor: real = (code - zeroPoint) * scale.
 * Unsigned types carry their zero point, signed types have zero point 0 (the convention of ONNX QuantizeLinear).
 */
export interface PerTensorEncoding {
  readonly kind: 'per-tensor';
  readonly dtype: 'uint8' | 'uint16' | 'int8' | 'int16';
  /** float32 value. */
  readonly scale: number;
  readonly zeroPoint: number;
  /** True for encodings that are symmetric by construction (KV: uint8 with zero point 128). */
  readonly symmetric: boolean;
  /**
   * Of a cache whose heads, the slices along axis 0, have scales of their own (float32 values); `scale` is then the largest,
   * and a graph that does not cut the cache into heads uses that.
   */
  readonly headScales?: readonly number[];
}

/** Symmetric weight encoding with one float32 scale per output channel (axis 0 of `[out,in]`). */
export interface PerChannelEncoding {
  readonly kind: 'per-channel';
  readonly dtype: 'int4' | 'int8' | 'int16';
  readonly axis: 0;
  readonly scale: Float32Array;
}

/**
 * Low-power blockwise quantization of a weight `[out,in]`: effective scale of block j of channel n is
 * fround(channelScale[n] * blockScale[n * blocks + j]); codes are int4; blocks run along `in`.
 */
export interface LpbqEncoding {
  readonly kind: 'lpbq';
  readonly dtype: 'int4';
  readonly blockSize: number;
  /** float32 per output channel, [out]. */
  readonly channelScale: Float32Array;
  /** Integers 1..16, [out][in / blockSize]. */
  readonly blockScale: Uint8Array;
}

/** Symmetric weight encoding with one float32 scale per block of `blockSize` columns of `[out,in]`. */
export interface PerBlockEncoding {
  readonly kind: 'per-block';
  readonly dtype: 'int4' | 'int8';
  readonly blockSize: number;
  /** Output channels. */
  readonly channels: number;
  /** float32, [out][in / blockSize]. */
  readonly scale: Float32Array;
}

export type ParameterEncoding = PerTensorEncoding | PerChannelEncoding | PerBlockEncoding | LpbqEncoding;

/** Both tables of a quantized graph. A value without an entry stays in floating point. */
export interface Encodings {
  readonly activations: ReadonlyMap<string, PerTensorEncoding>;
  readonly parameters: ReadonlyMap<string, ParameterEncoding>;
}
