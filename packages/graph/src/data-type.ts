/** Element types of ONNX tensors: the numbers of TensorProto.DataType, their names and widths. */

export const DataType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  BFLOAT16: 16,
  UINT4: 21,
  INT4: 22,
} as const;

export type DataType = (typeof DataType)[keyof typeof DataType];

const BITS: Readonly<Record<DataType, number>> = {
  [DataType.FLOAT]: 32,
  [DataType.UINT8]: 8,
  [DataType.INT8]: 8,
  [DataType.UINT16]: 16,
  [DataType.INT16]: 16,
  [DataType.INT32]: 32,
  [DataType.INT64]: 64,
  [DataType.BOOL]: 8,
  [DataType.FLOAT16]: 16,
  [DataType.DOUBLE]: 64,
  [DataType.UINT32]: 32,
  [DataType.UINT64]: 64,
  [DataType.BFLOAT16]: 16,
  [DataType.UINT4]: 4,
  [DataType.INT4]: 4,
};

const NAMES = new Map<number, keyof typeof DataType>(
  Object.entries(DataType).map(([name, code]) => [code, name as keyof typeof DataType]),
);

/** True when `code` is an element type that the IR carries. */
export function isDataType(code: number): code is DataType {
  return NAMES.has(code);
}

/** The ONNX spelling, for example `FLOAT16`; unknown codes print as `data_type 99`. */
export function dataTypeName(code: number): string {
  return NAMES.get(code) ?? `data_type ${code}`;
}

/** Width of one element in bits; 4-bit types are packed two to a byte, low nibble first. */
export function bitsOf(type: DataType): number {
  return BITS[type];
}

/** Number of elements of a static shape. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((count, dim) => count * dim, 1);
}

/** Bytes that a tensor of this type and shape occupies in ONNX raw or external data. */
export function byteLength(type: DataType, dims: readonly number[]): number {
  return Math.ceil((elementCount(dims) * bitsOf(type)) / 8);
}
