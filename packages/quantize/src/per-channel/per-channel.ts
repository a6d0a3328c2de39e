/** Symmetric int8 per output channel: the language-model head. */
import { DataType, bytesOf } from '@tundish/graph';
import type { Kernels } from '@tundish/native';
import type { QuantizedWeight } from '../quantized-weight.js';
import type { WeightFile } from '../weight-file.js';
import { type WeightSource, rowChunks } from '../weight-source.js';

/** Quantizes `source` [out,in] to int8 with one float32 scale per row, and appends both tensors to `file`. */
export async function quantizePerChannel8(kernels: Kernels, source: WeightSource, file: WeightFile): Promise<QuantizedWeight> {
  const { rows, columns } = source;
  const codes = file.reserve(DataType.INT8, [rows, columns]);
  const scale = new Float32Array(rows);
  for (const { from, to } of rowChunks(rows, columns)) {
    const part = kernels.quantizePerChannel(source.read(from, to), to - from, columns, 8);
    await file.writeAt(codes.offset + from * columns, bytesOf(part.codes));
    scale.set(part.scale, from);
  }
  return {
    kind: 'per-channel',
    codes,
    scale: await file.append(DataType.FLOAT, [rows], bytesOf(scale)),
    encoding: { kind: 'per-channel', dtype: 'int8', axis: 0, scale },
  };
}
