/** A graph for the vendor's compiler as plain data: no library is needed to make, compare or send one. */
import type { Tensor } from '@tundish/graph';
import type { QnnBlockwise, QnnData, QnnOperation, QnnQuantization } from '@tundish/native/qnn';

/**
 * Where a constant comes from: numbers held here, codes of a file as they lie there, the codes [out, in] of a projection,
 * which become int8 [in, out] (`projectionCodes`), or codes on a grid, which become half floats.
 */
export type PlannedData = { readonly values: QnnData } | { readonly stored: Tensor } | { readonly projection: Tensor } | StoredReals;

/** real = (code + offset) * scale, rounded to float32 and then to a half float. */
export interface StoredReals {
  readonly reals: Tensor;
  readonly scale: number;
  readonly offset: number;
}

/** Scales of blocks, a byte each, lie where quantize wrote them. */
export type PlannedQuantization = Exclude<QnnQuantization, QnnBlockwise> | (Omit<QnnBlockwise, 'blockScales'> & { readonly blockScales: Tensor });

export interface PlannedTensor {
  readonly name: string;
  /** A code of TENSOR_KINDS. */
  readonly kind: number;
  /** A code of ELEMENT_CODES. */
  readonly element: number;
  readonly dims: readonly number[];
  readonly quantization?: PlannedQuantization;
  /** Of constants. */
  readonly data?: PlannedData;
}

/** Operations are in the order in which they compute; each tensor stands before the first operation that names it. */
export interface QnnGraphPlan {
  readonly name: string;
  /** In the order of the adapted graph, as are the outputs; both are among `tensors`. */
  readonly inputs: readonly PlannedTensor[];
  readonly outputs: readonly PlannedTensor[];
  readonly tensors: readonly PlannedTensor[];
  readonly operations: readonly QnnOperation[];
}
