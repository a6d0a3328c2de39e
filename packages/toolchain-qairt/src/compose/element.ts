/** How values that are kept here are told to the compiler: their element type, and the quantization of codes. */
import { DataType, type PerTensorEncoding } from '@tundish/graph';
import type { QnnQuantization } from '@tundish/native/qnn';
import { ELEMENT_CODES } from '../inspection/element-types.js';

/** What an activation is on the processor: codes on a grid, or half floats. */
export type ActivationEncoding = PerTensorEncoding | 'float16';

const { UFIXED_POINT_8, UFIXED_POINT_16, SFIXED_POINT_8, SFIXED_POINT_16 } = ELEMENT_CODES;

const ENCODED: Readonly<Record<PerTensorEncoding['dtype'], number>> = { uint8: UFIXED_POINT_8, uint16: UFIXED_POINT_16, int8: SFIXED_POINT_8, int16: SFIXED_POINT_16 };

const STORED: ReadonlyMap<DataType, number> = new Map<DataType, number>([
  [DataType.UINT8, UFIXED_POINT_8], [DataType.UINT16, UFIXED_POINT_16], [DataType.INT8, SFIXED_POINT_8], [DataType.INT16, SFIXED_POINT_16],
]);

/** What a tensor of activations says beside its name and shape. */
export function encodedAs(encoding: ActivationEncoding): { readonly element: number; readonly quantization?: QnnQuantization & { readonly kind: 'scale_offset' } } {
  if (encoding === 'float16') return { element: ELEMENT_CODES.FLOAT_16 };
  const { dtype, scale, zeroPoint } = encoding;
  return { element: ENCODED[dtype], quantization: { kind: 'scale_offset', scale, offset: negated(zeroPoint) } };
}

/** The vendor's offset of a zero point, and the zero point of an offset; of 0 it is 0, not -0. */
export function negated(zeroPointOrOffset: number): number {
  return zeroPointOrOffset === 0 ? 0 : -zeroPointOrOffset;
}

/** Whether the same codes mean the same reals. */
export function sameGrid(a: ActivationEncoding, b: ActivationEncoding): boolean {
  if (a === 'float16' || b === 'float16') return a === b;
  return a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}

/** The element type of constant codes as they lie in files; undefined for packed and floating-point types. */
export function storedElement(dtype: DataType): number | undefined {
  return STORED.get(dtype);
}

/** `uint16 scale 0.5 zero point 32768`. */
export function encodingText(encoding: ActivationEncoding): string {
  return encoding === 'float16' ? encoding : `${encoding.dtype} scale ${encoding.scale} zero point ${encoding.zeroPoint}`;
}
