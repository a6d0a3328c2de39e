/** Rows of a weight as an ONNX file stores it: `[out, in]`, `[in, out]` for a MatMul, `[out, in, 1, 1]` for a 1x1 Conv. */
import { printable } from '@tundish/diagnostics';
import { type Graph, type Tensor, type Value, dataTypeName, sliceRows, tensorFloats } from '@tundish/graph';
import { weightAxes } from '../encodings-formats/weight-axes.js';
import { quantizeError } from '../errors.js';
import { releasing, takeFloats } from '../float-stack.js';
import { type TensorFiles, type WeightReading, type WeightSource, halfDecoder } from '../weight-source.js';

export interface StoredSourceRequest {
  /** In the pipeline. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly graph: Graph;
  readonly value: Value;
}

/** How the rows of a weight are read; made once, so that one of another shape is refused before any is read. */
export interface StoredLayout extends Omit<StoredSourceRequest, 'graph'> {
  readonly isTransposed: boolean;
}

/** @throws QUANTIZE_SOURCE_WEIGHT for a weight of another shape, or one that no operator tells the axes of */
export function storedLayout({ name, rows, columns, graph, value }: StoredSourceRequest): StoredLayout {
  const dims = value.tensor?.dims ?? [];
  const wide = dims.filter((dim) => dim !== 1);
  if (rows === 1 && wide.length <= 1 && dims.reduce((count, dim) => count * dim, 1) === columns) return { name, rows, columns, value, isTransposed: false };
  const axes = weightAxes(graph, value.name);
  const [channel, block] = [axes?.channel ?? -1, axes?.block ?? -1];
  const fits = dims[channel] === rows && dims[block] === columns && dims.every((dim, axis) => axis === channel || axis === block || dim === 1);
  if (fits) return { name, rows, columns, value, isTransposed: channel > block };
  throw quantizeError('QUANTIZE_SOURCE_WEIGHT', {
    what: `${printable(value.name)} of the ONNX file is ${value.dtype === undefined ? '' : dataTypeName(value.dtype)} [${dims}]; ${printable(name)} is [${rows}, ${columns}]`,
    why: axes === undefined && dims.length > 1 ? 'no MatMul, Gemm, Conv or Gather reads it, which would tell its axes' : 'it was made for a model of other dimensions',
    fix: 'take the ONNX file of this model, or name the right tensor in quantize.source.names',
  });
}

/** @throws from `read`: QUANTIZE_NOT_FINITE, QUANTIZE_WEIGHTS_CUT */
export function storedSource({ name, rows, columns, value, isTransposed }: StoredLayout, files: TensorFiles, { kernels, stack }: WeightReading): WeightSource {
  const flat: Tensor = { ...value.tensor as Tensor, dims: [rows * columns] };
  const decoder = halfDecoder(kernels);
  const elements = (from: number, to: number): Float32Array => {
    const [part, out] = [sliceRows(flat, from, to), takeFloats(stack, to - from)];
    return releasing(stack, () => tensorFloats(part, files.read(part, stack), { out, decoder })) as Float32Array;
  };
  const read = (from: number, to: number): Float32Array => {
    if (!isTransposed) return elements(from * columns, to * columns);
    // One stretch of each stored row, so that no more than the result is in memory.
    const result = takeFloats(stack, (to - from) * columns);
    for (let column = 0; column < columns; column++) {
      releasing(stack, () => elements(column * rows + from, column * rows + to).forEach((element, row) => (result[row * columns + column] = element)));
    }
    return result;
  };
  return {
    name,
    rows,
    columns,
    ...(stack === undefined ? {} : { stack }),
    read: (from, to) => {
      const values = read(from, to);
      if (kernels.allFinite(values)) return values;
      throw quantizeError('QUANTIZE_NOT_FINITE', { what: `${printable(value.name)} of the ONNX file, which is ${printable(name)}, holds NaN or infinity`, fix: 'export the model again where it was quantized' });
    },
  };
}
