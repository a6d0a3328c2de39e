/** What an encodings file of any version says: the one form that all readers make and all writers take. */
import type { JsonObject } from '@tundish/checkpoint';

export const ENCODINGS_VERSIONS = ['0.6.1', '1.0.0', '2.0.0', '2.1.0'] as const;

export type EncodingsVersion = (typeof ENCODINGS_VERSIONS)[number];

export interface EncodingsDocument {
  /** Of the file that it was read from; unknown fields are written back to this version only. */
  readonly version: EncodingsVersion;
  /** In the order of the file; activations before parameters where a version has two tables. */
  readonly entries: readonly EncodingsEntry[];
  /** Fields of the file beside version and tables: `producer`, `quantizer_args`, `excluded_layers` and unknown ones. */
  readonly extra: JsonObject;
}

export interface EncodingsEntry {
  /** Name of a value of the graph. */
  readonly name: string;
  /** Versions 2 have one table and do not say: undefined unless scales along an axis or a graph tell. */
  readonly role: 'activation' | 'parameter' | undefined;
  readonly encoding: TensorEncoding;
  /** Fields that the encoding does not use. In 0.6.1 each is the list of its values, one a channel. */
  readonly extra: JsonObject;
}

export type Bits = 4 | 8 | 16 | 32;

/** Integer codes. Zero points beside a grid are those of unsigned codes, whatever `signed` says. */
export interface IntegerGrid {
  readonly bits: Bits;
  /** How versions 2 store the codes; 0.6.1 and 1.0.0 do not say, and symmetric parameters are taken as signed. */
  readonly signed: boolean;
  /** What 0.6.1 and 1.0.0 state; versions 2 do not say, and a zero point in the middle of the grid is taken as symmetric. */
  readonly symmetric: boolean;
}

/** Files hold float64 numbers, the pipeline float32 ones. */
export type Scales = Float32Array | Float64Array;

/** Stays in floating point of this width. */
export interface FloatForm {
  readonly kind: 'float';
  readonly bits: 16 | 32;
}

/** real = (code - zeroPoint) * scale */
export interface TensorForm {
  readonly kind: 'per-tensor';
  readonly grid: IntegerGrid;
  readonly scale: number;
  readonly zeroPoint: number;
  /** Of a cache whose heads, the slices along axis 0, have scales of their own. No version can say it: files hold the largest, `scale`. */
  readonly headScales?: readonly number[];
}

export interface ChannelForm {
  readonly kind: 'per-channel';
  readonly grid: IntegerGrid;
  /** [channels] */
  readonly scale: Scales;
  /** [channels] */
  readonly zeroPoint: Float64Array;
  /** As written, so perhaps negative; undefined where neither the version nor a graph says it. */
  readonly axis: number | undefined;
}

/** One float scale a block. */
export interface BlockForm {
  readonly kind: 'per-block';
  readonly grid: IntegerGrid;
  readonly blockSize: number;
  /** [out][blocks], whatever the storage order of the weight. */
  readonly scale: Scales;
  /** [out][blocks] */
  readonly zeroPoint: Float64Array;
  readonly layout: BlockLayout | undefined;
}

/** Scale of block j of channel n: channelScale[n] * blockScale[n * blocks + j]; symmetric. */
export interface LpbqForm {
  readonly kind: 'lpbq';
  readonly bits: Bits;
  /** Width of code * blockScale; 0.6.1 and versions 2 do not say it, and twice `bits` is meant. */
  readonly decompressedBits: Bits;
  readonly blockSize: number;
  /** [out] */
  readonly channelScale: Scales;
  /** [out][blocks], 1 to 2^(decompressedBits - bits). */
  readonly blockScale: Uint8Array | Uint16Array;
  readonly layout: BlockLayout | undefined;
}

/** How the scales of blocks lie in a file that keeps the storage order of the weight. */
export interface BlockLayout {
  /** Of the tensor of block scales: that of the weight, with the input axis divided by the block size and all others but one 1. */
  readonly shape: readonly number[];
  /** The axis that blocks divide, as written. */
  readonly blockAxis: number;
  /** The axis of the output channels, as written. */
  readonly channelAxis: number;
}

export type TensorEncoding = FloatForm | TensorForm | ChannelForm | BlockForm | LpbqForm;
