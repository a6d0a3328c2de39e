/** Value types of GGUF metadata, as the file numbers them. */

/** Index is the id in the file. */
export const VALUE_TYPES = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'string', 'array', 'u64', 'i64', 'f64'] as const;

export type GgufValueType = (typeof VALUE_TYPES)[number];
export type GgufScalarType = Exclude<GgufValueType, 'array'>;

/** 64-bit integers beyond 2^53 are a bigint, all others a number. */
export type GgufScalar = number | bigint | boolean | string;

export type GgufValue =
  | { readonly type: GgufScalarType; readonly value: GgufScalar }
  | { readonly type: 'array'; readonly elementType: GgufScalarType; readonly value: readonly GgufScalar[] };

/** Least bytes of one value in the file: a string has at least its length field. */
export const VALUE_BYTES: Readonly<Record<GgufScalarType, number>> = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, bool: 1, string: 8, u64: 8, i64: 8, f64: 8 };
