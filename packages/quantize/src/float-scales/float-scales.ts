/** Symmetric codes of 4 or 8 bits under float32 scales, one for each channel or for each block of it. */
import { DataType, type ExternalTensor, bytesOf } from '@tundish/graph';
import type { Kernels, ScaleGrid } from '@tundish/native';
import { int8Of } from '../float-stack.js';
import { packNibbles } from '../packed-codes.js';
import type { QuantizedWeight } from '../quantized-weight.js';
import { searchRangeGrid } from '../techniques/range-grid/range-grid.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowParts } from '../weight-source.js';
import type { ZeroPointRange } from '../zero-points.js';

export interface FloatScaleOptions {
  readonly bits: 4 | 8;
  /** Columns that share a scale; all of them for one scale a channel. Divides the columns. */
  readonly block: number;
  /** Scales that a search without data tries; 0: minimum and maximum. */
  readonly factors: number;
}

/** The language-model head, and rotations: 8 bits, one scale a row. */
export function quantizePerChannel8(kernels: Kernels, source: WeightSource, file: WeightFile, zeroPoints: ZeroPointRange): Promise<QuantizedWeight> {
  return quantizeFloatScales(kernels, source, { bits: 8, block: source.columns, factors: 0 }, file, zeroPoints);
}

/**
 * Quantizes `source` [out,in] and appends codes and scales to `file`.
 *
 * @param zeroPoints file of constant 8s that zero points of 4-bit codes are ranges of
 */
export async function quantizeFloatScales(kernels: Kernels, source: WeightSource, options: FloatScaleOptions, file: WeightFile, zeroPoints: ZeroPointRange): Promise<QuantizedWeight> {
  const { rows, columns } = source;
  const { bits, block } = options;
  const codes = file.reserve(codeType(bits), [rows, columns]);
  const scale = new Float32Array((rows * columns) / block);
  for (const { from, to, values } of rowParts(source)) {
    const part = quantizedRows(kernels, values, to - from, columns, options, file);
    await file.writeAt(codes.offset + (from * columns * bits) / 8, stored(part.codes, bits, file));
    scale.set(part.scale, (from * columns) / block);
  }
  return floatScaleWeight(codes, { scale, block, bits }, file, zeroPoints);
}

/** Appends a weight [rows, columns] that was solved beforehand. @param codes int8 */
export async function writeFloatScales(grid: ScaleGrid, codes: Int8Array, rows: number, file: WeightFile, zeroPoints: ZeroPointRange): Promise<QuantizedWeight> {
  const bits = grid.bits === 4 ? 4 : 8;
  return floatScaleWeight(await file.append(codeType(bits), [rows, codes.length / rows], stored(codes, bits, file)), grid, file, zeroPoints);
}

/** Blocks are the channels of a matrix with more and shorter rows. */
function quantizedRows(kernels: Kernels, w: Float32Array, n: number, k: number, { bits, block, factors }: FloatScaleOptions, file: WeightFile): { readonly codes: Int8Array; readonly scale: Float32Array } {
  if (factors === 0) return kernels.quantizePerChannel(w, (n * k) / block, block, bits, undefined, bits === 8 ? int8Of(file.room(w.length)) : undefined);
  const grid = searchRangeGrid({ kernels, threads: 2 }, { w, n, k }, { bits, block, factors, weighting: 'diagonal' });
  return { codes: kernels.solvers.roundToGrid({ w, n, k }, grid), scale: grid.scale };
}

async function floatScaleWeight(codes: ExternalTensor, { scale, block, bits }: ScaleGrid, file: WeightFile, zeroPoints: ZeroPointRange): Promise<QuantizedWeight> {
  const [rows, columns] = codes.dims as readonly [number, number];
  const dims = block === columns ? [rows] : [rows, columns / block];
  const stored = { codes, scale: await file.append(DataType.FLOAT, dims, bytesOf(scale)), ...(bits === 4 ? { zeroPoint: zeroPoints(dims) } : {}) };
  const dtype = bits === 4 ? 'int4' : 'int8';
  if (block === columns) return { kind: 'per-channel', ...stored, encoding: { kind: 'per-channel', dtype, axis: 0, scale } };
  return { kind: 'per-block', ...stored, blockSize: block, encoding: { kind: 'per-block', dtype, blockSize: block, channels: rows, scale } };
}

function codeType(bits: 4 | 8): DataType {
  return bits === 4 ? DataType.UINT4 : DataType.INT8;
}

function stored(codes: Int8Array, bits: 4 | 8, file: WeightFile): Uint8Array {
  return bits === 4 ? packNibbles(codes, file.room(codes.length / 2)) : bytesOf(codes);
}
