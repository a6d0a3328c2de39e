/** Element types and roles of tensors by the codes of the vendor's interface. */
import { DataType, type PerTensorEncoding } from '@tundish/graph';
import type { QnnQuantization } from '@tundish/native/qnn';

/** Fixed-point elements are codes with a quantization; the low byte is the width. */
export const ELEMENT = {
  int32: 0x032, uint32: 0x132, float32: 0x232,
  signed8: 0x308, signed16: 0x316, signed32: 0x332, unsigned8: 0x408, unsigned16: 0x416,
} as const;

export type Element = (typeof ELEMENT)[keyof typeof ELEMENT];

export const ROLE = { input: 0, output: 1, internal: 3, constant: 4 } as const;

export type Role = (typeof ROLE)[keyof typeof ROLE];

const ENCODED: Readonly<Record<PerTensorEncoding['dtype'], Element>> = {
  uint8: ELEMENT.unsigned8, uint16: ELEMENT.unsigned16, int8: ELEMENT.signed8, int16: ELEMENT.signed16,
};

const STORED: ReadonlyMap<DataType, Element> = new Map<DataType, Element>([
  [DataType.UINT8, ELEMENT.unsigned8], [DataType.UINT16, ELEMENT.unsigned16], [DataType.INT8, ELEMENT.signed8], [DataType.INT16, ELEMENT.signed16],
]);

export function elementOf({ dtype }: PerTensorEncoding): Element {
  return ENCODED[dtype];
}

/** The element of constant codes as they lie in files; undefined for packed and floating-point types. */
export function storedElement(dtype: DataType): Element | undefined {
  return STORED.get(dtype);
}

/** The vendor's offset is the negative zero point. */
export function quantizationOf({ scale, zeroPoint }: PerTensorEncoding): QnnQuantization {
  return { kind: 'scale_offset', scale, offset: zeroPoint === 0 ? 0 : -zeroPoint };
}
