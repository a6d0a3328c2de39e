/** LPBQ of one projection: int4 codes, an integer 1..16 per block and a float32 per output channel, rounded on the final grid. */
import { DataType, type ExternalTensor, bytesOf } from '@tundish/graph';
import type { Kernels } from '@tundish/native';
import { quantizeError } from '../errors.js';
import type { QuantizedWeight } from '../quantized-weight.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowChunks } from '../weight-source.js';

export interface LpbqOptions {
  readonly blockSize: number;
}

/**
 * Quantizes `source` [out,in] and appends its tensors to `file`.
 *
 * @param zeroPoints file of constant 8s that zero points are ranges of
 * @throws QUANTIZE_BLOCK_SIZE when the block size does not divide `in`
 */
export async function quantizeLpbq(
  kernels: Kernels,
  source: WeightSource,
  options: LpbqOptions,
  file: WeightFile,
  zeroPoints: ZeroPointRange,
): Promise<QuantizedWeight> {
  const { rows, columns } = source;
  const { blockSize } = options;
  if (columns % blockSize !== 0) {
    const fitting = [16, 32, 64].filter((size) => columns % size === 0);
    throw quantizeError('QUANTIZE_BLOCK_SIZE', {
      what: `${source.name} has ${columns} input channels, which blocks of ${blockSize} do not divide`,
      fix: fitting.length === 0 ? 'no block size divides them: build in floating point with `quantize: none`' : `set quantize.weights.blockSize to ${fitting.join(' or ')}`,
    });
  }
  const blocks = columns / blockSize;
  const codes = file.reserve(DataType.UINT4, [rows, columns]);
  const blockScale = new Uint8Array(rows * blocks);
  const channelScale = new Float32Array(rows);
  for (const { from, to } of rowChunks(rows, columns)) {
    const part = kernels.quantizeLpbq(source.read(from, to), to - from, columns, blockSize);
    await file.writeAt(codes.offset + (from * columns) / 2, part.codes);
    blockScale.set(part.blockScale, from * blocks);
    channelScale.set(part.channelScale, from);
  }
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

/** A range of the constant file that serves as the UINT4 zero point of the given shape. */
export type ZeroPointRange = (dims: readonly [number, number]) => ExternalTensor;
