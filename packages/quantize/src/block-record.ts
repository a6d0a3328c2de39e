/** What quantizing a block found out, as a file: which bytes of the weight file are which tensor, encodings, observed ranges. */
import { readFile, writeFile } from 'node:fs/promises';
import { DataType, type PerTensorEncoding } from '@tundish/graph';
import type { BlockFiles } from './block-cache.js';
import { recordName, weightsName } from './block-cache.js';
import type { SettledCaches } from './calibration/cache-encodings.js';
import type { Range } from './calibration/encoding-rules.js';
import type { LayerReport } from './engine/solve-group.js';
import type { QuantizedWeight } from './quantized-weight.js';
import { TensorFiles } from './weight-source.js';

/** What the calibration text gave; nothing when only weights are quantized. */
export interface BlockRanges extends SettledCaches {
  /** Ranges of observed values, as the observer chose them. */
  readonly ranges: Readonly<Record<string, Range>>;
}

/** The result of one block, ready to be put into the graph. */
export interface BlockResult extends BlockRanges {
  readonly weights: readonly BlockWeight[];
  /** Encodings of values that follow from a weight. */
  readonly fixed: Readonly<Record<string, PerTensorEncoding>>;
  /** What techniques did to each layer; none where scales are minimum and maximum. */
  readonly layers: readonly LayerReport[];
}

export interface BlockWeight {
  /** `quantizedKey` of the parameter. */
  readonly key: string;
  /** Name in encodings files. */
  readonly name: string;
  readonly weight: QuantizedWeight;
}

type Recorded<Weight> = Weight extends { readonly kind: 'lpbq' | 'per-channel' | 'per-block' } ? Omit<Weight, 'encoding'> : Weight;

/** Weights without the scales: they lie in the weight file, and are read from there. */
interface BlockRecord extends Omit<BlockResult, 'weights'> {
  readonly weights: readonly (Omit<BlockWeight, 'weight'> & { readonly weight: Recorded<QuantizedWeight> })[];
}

export async function writeBlockRecord(path: string, result: BlockResult): Promise<void> {
  const weights = result.weights.map(({ key, name, weight }) => ({ key, name, weight: weight.kind === 'float' || weight.kind === 'per-tensor' ? weight : { ...weight, encoding: undefined } }));
  await writeFile(path, `${JSON.stringify({ ...result, weights })}\n`);
}

/** The result that `files` hold. A walk that made a block reads it back too, so that a found one cannot differ. */
export async function readBlockRecord(block: string, files: BlockFiles): Promise<BlockResult> {
  const record = JSON.parse(await readFile(await files.path(recordName(block)), 'utf8')) as BlockRecord;
  const path = await files.path(weightsName(block));
  const tensors = new TensorFiles(() => path);
  try {
    return { ...record, weights: record.weights.map(({ weight, ...names }) => ({ ...names, weight: withScales(weight, tensors) })) };
  } finally {
    tensors.close();
  }
}

function withScales(weight: Recorded<QuantizedWeight>, files: TensorFiles): QuantizedWeight {
  const floats = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.buffer);
  if (weight.kind === 'lpbq') {
    const { blockSize } = weight;
    return { ...weight, encoding: { kind: 'lpbq', dtype: 'int4', blockSize, channelScale: floats(files.read(weight.channelScale)), blockScale: files.read(weight.blockScale) } };
  }
  if (weight.kind === 'float' || weight.kind === 'per-tensor') return weight;
  const [scale, dtype] = [floats(files.read(weight.scale)), weight.codes.dtype === DataType.UINT4 ? 'int4' : 'int8'] as const;
  if (weight.kind === 'per-channel') return { ...weight, encoding: { kind: 'per-channel', dtype, axis: 0, scale } };
  return { ...weight, encoding: { kind: 'per-block', dtype, blockSize: weight.blockSize, channels: weight.codes.dims[0] as number, scale } };
}
