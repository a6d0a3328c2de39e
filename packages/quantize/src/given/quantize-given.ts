/** Rounds a weight on a grid that was made elsewhere; no scale is chosen here. */
import { DataType, type ExternalTensor, bytesOf } from '@tundish/graph';
import type { Kernels } from '@tundish/native';
import { lpbqGrid } from '../lpbq/compress-scales.js';
import { type ZeroPointRange, writeLpbq } from '../lpbq/lpbq.js';
import type { QuantizedWeight } from '../quantized-weight.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowChunks } from '../weight-source.js';
import type { GivenGrid } from './given-grid.js';

export interface GivenWeightRequest {
  readonly kernels: Kernels;
  readonly source: WeightSource;
  readonly grid: GivenGrid;
  /** The shape that the graph gives the weight. */
  readonly dims: readonly number[];
  readonly file: WeightFile;
  readonly zeroPoints: ZeroPointRange;
}

/** codes = clamp(rint(fp32(w / scale))), plus the zero point of a grid that has one; as AIMET rounds. */
export async function quantizeGiven({ kernels, source, grid, dims, file, zeroPoints }: GivenWeightRequest): Promise<QuantizedWeight> {
  const { rows, columns } = source;
  switch (grid.kind) {
    case 'lpbq': {
      const { scale, block, bits } = lpbqGrid(grid.scales, columns);
      return writeLpbq(grid.scales, roundedCodes(kernels, source, { scale, block, bits }), file, zeroPoints);
    }
    case 'per-channel': {
      const codes = roundedCodes(kernels, source, { scale: grid.scale, block: columns, bits: 8 });
      return {
        kind: 'per-channel',
        codes: await file.append(DataType.INT8, [rows, columns], bytesOf(codes)),
        scale: await file.append(DataType.FLOAT, [rows], bytesOf(grid.scale)),
        encoding: { kind: 'per-channel', dtype: 'int8', axis: 0, scale: grid.scale },
      };
    }
    case 'per-tensor': {
      const { encoding } = grid;
      const bits = encoding.dtype === 'uint8' ? 8 : 16;
      const codes: ExternalTensor = file.reserve(bits === 8 ? DataType.UINT8 : DataType.UINT16, dims);
      for (const { from, to } of rowChunks(rows, columns)) {
        await file.writeAt(codes.offset + from * columns * (bits / 8), bytesOf(kernels.quantizeOnGrid(source.read(from, to), encoding, bits)));
      }
      return { kind: 'per-tensor', codes, encoding };
    }
  }
}

/** int8 [rows, columns]; the floats are read a few rows at a time. */
function roundedCodes(kernels: Kernels, source: WeightSource, { scale, block, bits }: ReturnType<typeof lpbqGrid>): Int8Array {
  const { rows, columns } = source;
  const codes = new Int8Array(rows * columns);
  const perRow = columns / block;
  for (const { from, to } of rowChunks(rows, columns)) {
    codes.set(kernels.solvers.roundToGrid({ w: source.read(from, to), n: to - from, k: columns }, { scale: scale.subarray(from * perRow, to * perRow), block, bits }), from * columns);
  }
  return codes;
}
