/** How codes that are kept here are told to the compiler: their element type and their quantization. */
import { DataType, type PerTensorEncoding } from '@tundish/graph';
import type { QnnQuantization } from '@tundish/native/qnn';
import { ELEMENT_CODES } from '../inspection/element-types.js';

const { UFIXED_POINT_8, UFIXED_POINT_16, SFIXED_POINT_8, SFIXED_POINT_16 } = ELEMENT_CODES;

const ENCODED: Readonly<Record<PerTensorEncoding['dtype'], number>> = { uint8: UFIXED_POINT_8, uint16: UFIXED_POINT_16, int8: SFIXED_POINT_8, int16: SFIXED_POINT_16 };

const STORED: ReadonlyMap<DataType, number> = new Map<DataType, number>([
  [DataType.UINT8, UFIXED_POINT_8], [DataType.UINT16, UFIXED_POINT_16], [DataType.INT8, SFIXED_POINT_8], [DataType.INT16, SFIXED_POINT_16],
]);

export function elementOf({ dtype }: PerTensorEncoding): number {
  return ENCODED[dtype];
}

/** The element type of constant codes as they lie in files; undefined for packed and floating-point types. */
export function storedElement(dtype: DataType): number | undefined {
  return STORED.get(dtype);
}

/** The vendor's offset is the negative zero point. */
export function quantizationOf({ scale, zeroPoint }: Pick<PerTensorEncoding, 'scale' | 'zeroPoint'>): QnnQuantization & { readonly kind: 'scale_offset' } {
  return { kind: 'scale_offset', scale, offset: zeroPoint === 0 ? 0 : -zeroPoint };
}
