/** Tensor contents: small ones inline, weights as byte ranges of files that never move. */
import { type DataType, DataType as T, bitsOf, byteLength, elementCount } from './data-type.js';
import { graphError } from './errors.js';

/** Bytes held in the graph itself, little-endian, row-major. */
export interface InlineTensor {
  readonly kind: 'inline';
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/**
 * A byte range of a file. `location` is a logical name (`model.safetensors`, `block-3.weights`) that whoever opens the
 * graph maps to a path: graphs hold no paths, so the same graph has the same bytes on every machine.
 */
export interface ExternalTensor {
  readonly kind: 'external';
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

export type Tensor = InlineTensor | ExternalTensor;

/** A tensor over the given little-endian bytes; the bytes are aliased, not copied. */
export function inlineTensor(dtype: DataType, dims: readonly number[], data: Uint8Array): InlineTensor {
  const expected = byteLength(dtype, dims);
  if (data.byteLength !== expected) {
    throw graphError('GRAPH_TENSOR_SIZE', { what: `tensor of shape [${dims}] needs ${expected} bytes, ${data.byteLength} given` });
  }
  return { kind: 'inline', dtype, dims, data };
}

/** int64 constant, the type of ONNX shapes, axes and indices. A scalar is `dims` []. */
export function int64Tensor(values: readonly number[], dims: readonly number[] = [values.length]): InlineTensor {
  return inlineTensor(T.INT64, dims, bytesOf(BigInt64Array.from(values, BigInt)));
}

/** float32 constant. */
export function floatTensor(values: ArrayLike<number>, dims: readonly number[] = [values.length]): InlineTensor {
  return inlineTensor(T.FLOAT, dims, bytesOf(Float32Array.from(values)));
}

/** Values of an inline int64 or int32 tensor as numbers, or undefined for any other tensor. */
export function integerValues(tensor: Tensor): number[] | undefined {
  if (tensor.kind !== 'inline') return undefined;
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  const count = elementCount(tensor.dims);
  if (tensor.dtype === T.INT64) return Array.from({ length: count }, (_, i) => Number(view.getBigInt64(8 * i, true)));
  if (tensor.dtype === T.INT32) return Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true));
  return undefined;
}

/**
 * Rows [from, to) of the first axis, as a view: the same bytes under another offset.
 *
 * @throws GRAPH_TENSOR_SLICE when the range does not begin and end on a byte (4-bit rows of odd length) or is outside
 */
export function sliceRows(tensor: Tensor, from: number, to: number): Tensor {
  const [rows = 0, ...rest] = tensor.dims;
  const rowBits = elementCount(rest) * bitsOf(tensor.dtype);
  const onBytes = (from * rowBits) % 8 === 0 && (to * rowBits) % 8 === 0;
  if (!(0 <= from && from <= to && to <= rows) || !onBytes) {
    throw graphError('GRAPH_TENSOR_SLICE', {
      what: `rows ${from}..${to} of a tensor of shape [${tensor.dims}] are not a byte range`,
      why: onBytes ? `the tensor has ${rows} rows` : 'a row of the range does not begin or end on a byte',
    });
  }
  const dims = [to - from, ...rest];
  const [begin, end] = [(from * rowBits) / 8, (to * rowBits) / 8];
  if (tensor.kind === 'external') return { ...tensor, dims, offset: tensor.offset + begin, length: end - begin };
  return { ...tensor, dims, data: tensor.data.subarray(begin, end) };
}

/** The bytes under a typed array, without a copy. Hosts of Tundish are little-endian, as is ONNX. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
