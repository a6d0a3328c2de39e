/** TensorProto to Tensor and back: every way in which ONNX stores elements becomes little-endian bytes or a file range. */
import { create } from '@bufbuild/protobuf';
import { printable } from '@tundish/diagnostics';
import { type DataType, DataType as T, bitsOf, byteLength, dataTypeName, elementCount, isDataType } from './data-type.js';
import { graphError } from './errors.js';
import { decodeExternal, encodeExternal } from './external-data.js';
import { type TensorProto, TensorProtoSchema, TensorProto_DataLocation } from './onnx_pb.js';
import { type Tensor, bytesOf } from './tensor.js';

/**
 * The tensor of a TensorProto. Bytes of `raw_data` are aliased, typed fields are copied.
 *
 * @param name how messages call the tensor
 * @throws ONNX_INVALID for shapes, types and sizes that contradict each other
 * @throws ONNX_EXTERNAL_DATA for a location outside of the model's folder or a range that does not fit
 */
export function decodeTensor(proto: TensorProto, name = printable(proto.name)): Tensor {
  const dtype = proto.dataType;
  if (!isDataType(dtype)) {
    throw invalid(name, `${name}: unknown data_type ${dtype}`, `known types: ${Object.keys(T).join(', ')}`);
  }
  const dims = decodeDims(proto.dims, name);
  const expected = byteLength(dtype, dims);
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) return decodeExternal(proto.externalData, { name, dtype, dims, expected });
  const data = proto.rawData.byteLength > 0 ? proto.rawData : typedFields(proto, dtype);
  if (data.byteLength !== expected) {
    throw invalid(name, `${name}: ${expected} bytes expected, ${data.byteLength} found`, `${dataTypeName(dtype)} [${dims}] is ${expected} bytes`);
  }
  return { kind: 'inline', dtype, dims, data };
}

/** Raw or external data only, so that equal tensors have equal bytes. */
export function encodeTensor(name: string, tensor: Tensor): TensorProto {
  const head = { ...(name === '' ? {} : { name }), dims: tensor.dims.map(BigInt), dataType: tensor.dtype };
  if (tensor.kind === 'inline') return create(TensorProtoSchema, { ...head, rawData: tensor.data });
  return create(TensorProtoSchema, { ...head, dataLocation: TensorProto_DataLocation.EXTERNAL, externalData: encodeExternal(tensor) });
}

function decodeDims(raw: readonly bigint[], name: string): number[] {
  const dims = raw.map((dim) => {
    if (dim < 0n) throw invalid(name, `${name}: dims must be non-negative, got [${raw.join(',')}]`, 'a tensor has static extents');
    return Number(dim);
  });
  // Eight bytes an element at most: beyond this, sizes in bytes are not exact numbers.
  if (elementCount(dims.filter((dim) => dim > 0)) * 8 > Number.MAX_SAFE_INTEGER) {
    throw invalid(name, `${name}: element count overflows: [${raw.join(',')}]`, 'no file can hold so many elements');
  }
  return dims;
}

function typedFields(proto: TensorProto, dtype: DataType): Uint8Array {
  switch (dtype) {
    case T.FLOAT:
      return bytesOf(Float32Array.from(proto.floatData));
    case T.DOUBLE:
      return bytesOf(Float64Array.from(proto.doubleData));
    case T.INT64:
      return bytesOf(BigInt64Array.from(proto.int64Data));
    case T.UINT64:
      return bytesOf(BigUint64Array.from(proto.uint64Data));
    case T.UINT32:
      return bytesOf(Uint32Array.from(proto.uint64Data, Number));
    case T.INT32:
      return bytesOf(Int32Array.from(proto.int32Data));
    default:
      // 16-bit types hold one element in each int32, 8-bit types too, and 4-bit types one packed byte.
      return bitsOf(dtype) === 16 ? bytesOf(Uint16Array.from(proto.int32Data)) : Uint8Array.from(proto.int32Data);
  }
}

function invalid(name: string, what: string, why: string): Error {
  return graphError('ONNX_INVALID', { what, why, evidence: { detail: `tensor ${name}` }, fix: 'export the model again' });
}
