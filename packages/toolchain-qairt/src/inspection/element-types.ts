/** Names and codes of the vendor's element types and tensor kinds, and arrays of them. */
import type { QnnData } from '@tundish/native/qnn';

/** The low byte is the width: hexadecimal digits that read as decimal bits. */
export const ELEMENT_CODES = {
  INT_8: 0x0008, INT_16: 0x0016, INT_32: 0x0032, INT_64: 0x0064,
  UINT_8: 0x0108, UINT_16: 0x0116, UINT_32: 0x0132, UINT_64: 0x0164,
  FLOAT_16: 0x0216, BFLOAT_16: 0x0226, FLOAT_32: 0x0232,
  SFIXED_POINT_4: 0x0304, SFIXED_POINT_8: 0x0308, SFIXED_POINT_16: 0x0316, SFIXED_POINT_32: 0x0332,
  UFIXED_POINT_4: 0x0404, UFIXED_POINT_8: 0x0408, UFIXED_POINT_16: 0x0416, UFIXED_POINT_32: 0x0432,
  BOOL_8: 0x0508, STRING: 0x0608,
} as const;

export type ElementType = keyof typeof ELEMENT_CODES;

const ELEMENT_NAMES = new Map<number, string>(Object.entries(ELEMENT_CODES).map(([name, code]) => [code, name]));

/** `UFIXED_POINT_16`; `0x0426` for a code that nobody has named. */
export function elementName(code: number): string {
  return ELEMENT_NAMES.get(code) ?? `0x${code.toString(16).padStart(4, '0')}`;
}

/** What a tensor is to its graph, by the code of its kind. */
export const TENSOR_KINDS = { input: 0, output: 1, inside: 3, constant: 4 } as const;

/** Bytes of a tensor as an array of its elements, in memory of its own; half floats as their bits. */
export function elementsOf(bytes: Uint8Array, code: number): QnnData {
  const { buffer } = Uint8Array.from(bytes);
  switch (code) {
    case ELEMENT_CODES.FLOAT_32:
      return new Float32Array(buffer);
    case ELEMENT_CODES.INT_32:
      return new Int32Array(buffer);
    case ELEMENT_CODES.UINT_32:
      return new Uint32Array(buffer);
    case ELEMENT_CODES.INT_16:
    case ELEMENT_CODES.SFIXED_POINT_16:
      return new Int16Array(buffer);
    case ELEMENT_CODES.UINT_16:
    case ELEMENT_CODES.UFIXED_POINT_16:
    case ELEMENT_CODES.FLOAT_16:
      return new Uint16Array(buffer);
    case ELEMENT_CODES.INT_8:
    case ELEMENT_CODES.SFIXED_POINT_8:
      return new Int8Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}
