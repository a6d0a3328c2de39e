/** Linear layer: x [..., in] times a stored weight [out, in], written so that the weight keeps its own byte range. */
import type { Value } from '@tundish/graph';
import { type Scope, emit, ints, parameter, parameterOf } from './scope.js';

export interface ProjectionShape {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;
}

/** y = x · Wᵀ (+ b). W is `<module>.weight` [out, in], or the tensor `tiedTo` of the same shape. */
export function projection(scope: Scope, x: Value, shape: ProjectionShape, tiedTo?: string, output?: string): Value {
  const dims = [shape.outFeatures, shape.inFeatures];
  const weight = tiedTo === undefined ? parameter(scope, 'weight', dims) : parameterOf(scope, tiedTo, dims);
  const transposed = emit(scope, 'Transpose', [weight], { perm: ints(1, 0) });
  if (!shape.bias) return emit(scope, 'MatMul', [x, transposed], {}, output);
  const product = emit(scope, 'MatMul', [x, transposed]);
  return emit(scope, 'Add', [product, parameter(scope, 'bias', [shape.outFeatures])], {}, output);
}
