/** Parameters of operations, typed as the vendor's interface takes them. */
import type { QnnData, QnnParameter } from '@tundish/native/qnn';
import { ELEMENT_CODES, TENSOR_KINDS } from '../inspection/element-types.js';

/** The composition names the tensor after the operation. */
export function tensorParameter(name: string, dims: readonly number[], data: Uint32Array | Int32Array): QnnParameter {
  const element = data instanceof Uint32Array ? ELEMENT_CODES.UINT_32 : ELEMENT_CODES.INT_32;
  return { name, tensor: { name, type: TENSOR_KINDS.constant, element, dims: Uint32Array.from(dims), data: data satisfies QnnData } };
}

export function unsigned(name: string, value: number): QnnParameter {
  return { name, element: ELEMENT_CODES.UINT_32, value };
}

export function signed(name: string, value: number): QnnParameter {
  return { name, element: ELEMENT_CODES.INT_32, value };
}

export function float(name: string, value: number): QnnParameter {
  return { name, element: ELEMENT_CODES.FLOAT_32, value };
}

/** Code of the vendor's boolean type. */
const BOOLEAN = 0x508;

export function flag(name: string, value: boolean): QnnParameter {
  return { name, element: BOOLEAN, value: value ? 1 : 0 };
}
