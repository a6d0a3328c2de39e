/** LPBQ of one projection: int4 codes, an integer 1..16 per block and a float32 per output channel, rounded on the final grid. */
import { DataType, type ExternalTensor, bytesOf } from '@tundish/graph';
import type { Kernels, LpbqScales, LpbqWeight } from '@tundish/native';
import { packNibbles } from '../packed-codes.js';
import { searchLpbqGrid } from '../techniques/lpbq-grid/lpbq-grid.js';
import type { QuantizedWeight } from '../quantized-weight.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowParts } from '../weight-source.js';
import type { ZeroPointRange } from '../zero-points.js';
import { lpbqGrid } from './compress-scales.js';

export interface LpbqOptions {
  /** Divides the columns. */
  readonly blockSize: number;
  /** Channel scales that a search without data tries; 0: minimum and maximum. */
  readonly factors: number;
}

/**
 * Quantizes `source` [out,in] and appends its tensors to `file`.
 *
 * @param zeroPoints file of constant 8s that zero points are ranges of
 */
export async function quantizeLpbq(
  kernels: Kernels,
  source: WeightSource,
  options: LpbqOptions,
  file: WeightFile,
  zeroPoints: ZeroPointRange,
): Promise<QuantizedWeight> {
  const { rows, columns } = source;
  const { blockSize, factors } = options;
  const blocks = columns / blockSize;
  const codes = file.reserve(DataType.UINT4, [rows, columns]);
  const blockScale = new Uint8Array(rows * blocks);
  const channelScale = new Float32Array(rows);
  for (const { from, to, values } of rowParts(source)) {
    const part = factors === 0 ? kernels.quantizeLpbq(values, to - from, columns, blockSize, undefined, file.room(values.length / 2)) : searchedPart(kernels, values, to - from, columns, options);
    await file.writeAt(codes.offset + (from * columns) / 2, part.codes);
    blockScale.set(part.blockScale, from * blocks);
    channelScale.set(part.channelScale, from);
  }
  return lpbqWeight(codes, { channelScale, blockScale }, blockSize, file, zeroPoints);
}

/** Scales from the grid search with all errors alike, and codes rounded on them. */
function searchedPart(kernels: Kernels, w: Float32Array, n: number, k: number, { blockSize, factors }: LpbqOptions): LpbqWeight {
  const scales = searchLpbqGrid({ kernels, threads: 2 }, { w, n, k }, { blockSize, factors, weighting: 'diagonal' });
  return { ...scales, codes: packNibbles(kernels.solvers.roundToGrid({ w, n, k }, lpbqGrid(scales, k))) };
}

/** Appends a weight [rows, columns] that was solved beforehand. @param codes int8 -8..7 */
export async function writeLpbq({ channelScale, blockScale }: LpbqScales, codes: Int8Array, file: WeightFile, zeroPoints: ZeroPointRange): Promise<QuantizedWeight> {
  const rows = channelScale.length;
  const [columns, blocks] = [codes.length / rows, blockScale.length / rows];
  const tensor = await file.append(DataType.UINT4, [rows, columns], packNibbles(codes, file.room(codes.length / 2)));
  return lpbqWeight(tensor, { channelScale, blockScale }, columns / blocks, file, zeroPoints);
}

async function lpbqWeight(codes: ExternalTensor, { channelScale, blockScale }: LpbqScales, blockSize: number, file: WeightFile, zeroPoints: ZeroPointRange): Promise<QuantizedWeight> {
  const rows = channelScale.length;
  const blocks = blockScale.length / rows;
  return {
    kind: 'lpbq',
    codes,
    blockScale: await file.append(DataType.UINT8, [rows, blocks], blockScale),
    channelScale: await file.append(DataType.FLOAT, [rows, 1], bytesOf(channelScale)),
    zeroPoint: zeroPoints([rows, blocks]),
    blockSize,
    encoding: { kind: 'lpbq', dtype: 'int4', blockSize, channelScale, blockScale },
  };
}
