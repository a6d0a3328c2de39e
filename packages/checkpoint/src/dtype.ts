/** Element types of safetensors and their widths. */

const WIDTHS = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
} as const;

/** A dtype name as safetensors writes it. */
export type SafetensorsDtype = keyof typeof WIDTHS;

/** Dtypes that `widenToFloat32` can read exactly. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

/** All known dtype names, for messages. */
export const SAFETENSORS_DTYPES = Object.keys(WIDTHS) as readonly SafetensorsDtype[];

/** Bytes of one element. */
export function dtypeBytes(dtype: SafetensorsDtype): number {
  return WIDTHS[dtype];
}

export function isSafetensorsDtype(name: string): name is SafetensorsDtype {
  return Object.hasOwn(WIDTHS, name);
}

export function isFloatDtype(dtype: SafetensorsDtype): dtype is FloatDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}
