/** Rounds a weight on a grid that was made elsewhere; no scale is chosen here. */
import { DataType, bytesOf } from '@tundish/graph';
import type { Kernels, ScaleGrid } from '@tundish/native';
import { lpbqGrid } from '../lpbq/compress-scales.js';
import { writeLpbq } from '../lpbq/lpbq.js';
import { writeOnGrid } from '../per-tensor/per-tensor.js';
import type { QuantizedWeight } from '../quantized-weight.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowParts } from '../weight-source.js';
import type { ZeroPointRange } from '../zero-points.js';
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
      const codes = new Int8Array(rows * columns);
      for (const { from, part } of roundedRows(kernels, source, lpbqGrid(grid.scales, columns))) codes.set(part, from * columns);
      return writeLpbq(grid.scales, codes, file, zeroPoints);
    }
    case 'per-channel': {
      const codes = file.reserve(DataType.INT8, [rows, columns]);
      for (const { from, part } of roundedRows(kernels, source, { scale: grid.scale, block: columns, bits: 8 })) await file.writeAt(codes.offset + from * columns, bytesOf(part));
      return {
        kind: 'per-channel',
        codes,
        scale: await file.append(DataType.FLOAT, [rows], bytesOf(grid.scale)),
        encoding: { kind: 'per-channel', dtype: 'int8', axis: 0, scale: grid.scale },
      };
    }
    case 'per-tensor':
      return writeOnGrid(kernels, source, grid.encoding, grid.encoding.dtype === 'uint8' ? 8 : 16, dims, file);
  }
}

/** Codes of a few rows at a time, int8. */
function* roundedRows(kernels: Kernels, source: WeightSource, { scale, block, bits }: ScaleGrid): Generator<{ readonly from: number; readonly part: Int8Array }> {
  const { columns } = source;
  const perRow = columns / block;
  for (const { from, to, values } of rowParts(source)) {
    yield { from, part: kernels.solvers.roundToGrid({ w: values, n: to - from, k: columns }, { scale: scale.subarray(from * perRow, to * perRow), block, bits }) };
  }
}
