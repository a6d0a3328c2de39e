/** Tensors of compiled graphs in the words of ONNX: element types, and encodings as metadata, for which ONNX has no place at inputs. */
import { printable } from '@tundish/diagnostics';
import { DataType } from '@tundish/graph';
import type { BinaryQuantization, BinaryTensor } from '../inspection/context-binary.js';
import type { ElementType } from '../inspection/element-types.js';
import { exportError } from './errors.js';

/** Codes have the integers that they are. */
const TYPES: Readonly<Partial<Record<ElementType, DataType>>> = {
  INT_8: DataType.INT8, INT_16: DataType.INT16, INT_32: DataType.INT32, INT_64: DataType.INT64,
  UINT_8: DataType.UINT8, UINT_16: DataType.UINT16, UINT_32: DataType.UINT32, UINT_64: DataType.UINT64,
  FLOAT_16: DataType.FLOAT16, BFLOAT_16: DataType.BFLOAT16, FLOAT_32: DataType.FLOAT,
  SFIXED_POINT_4: DataType.INT4, SFIXED_POINT_8: DataType.INT8, SFIXED_POINT_16: DataType.INT16, SFIXED_POINT_32: DataType.INT32,
  UFIXED_POINT_4: DataType.UINT4, UFIXED_POINT_8: DataType.UINT8, UFIXED_POINT_16: DataType.UINT16, UFIXED_POINT_32: DataType.UINT32,
  BOOL_8: DataType.BOOL,
};

/** @throws QAIRT_EXPORT_TYPE */
export function onnxType({ name, dtype }: BinaryTensor): DataType {
  const type = Object.hasOwn(TYPES, dtype) ? TYPES[dtype as ElementType] : undefined;
  if (type !== undefined) return type;
  throw exportError('QAIRT_EXPORT_TYPE', { what: `${printable(name)} cannot be a tensor of an ONNX graph`, why: `its elements are ${printable(dtype)}` });
}

/** Entries `quantization NAME`, for tensors that have one: `scale 0.125, zero point 128`. Lists are longer than anybody reads. */
export function encodingEntries(tensors: readonly (BinaryTensor & { readonly as: string })[]): [key: string, value: string][] {
  return tensors.flatMap(({ as, quantization }) => (quantization === null ? [] : [[`quantization ${as}`, encodingText(quantization)] as [string, string]]));
}

/** One line. */
export function encodingText(quantization: BinaryQuantization): string {
  switch (quantization.kind) {
    case 'scale_offset':
      return `scale ${quantization.scale.toPrecision(6)}, zero point ${0 - quantization.offset}`;
    case 'bitwidth':
      return `${quantization.bits} bits, scale ${quantization.scale.toPrecision(6)}, zero point ${0 - quantization.offset}`;
    case 'other':
      return `encoding ${quantization.encoding}`;
    default:
      return `${quantization.kind}, ${quantization.scales.length} scales${quantization.axis === null ? '' : ` along axis ${quantization.axis}`}${quantization.blocks === null ? '' : `, ${quantization.blocks} blocks each`}`;
  }
}
