/** Root mean square normalization as the one ONNX node that compilers recognise (opset 23). */
import type { Value } from '@tundish/graph';
import { type Scope, emit, float, int, parameter } from './scope.js';

/** y = x / sqrt(mean(x²) + epsilon) · gain over the last axis; gain is `<module>.weight` [size]. */
export function rmsNorm(scope: Scope, x: Value, size: number, epsilon: number): Value {
  return emit(scope, 'RMSNormalization', [x, parameter(scope, 'weight', [size])], { axis: int(-1), epsilon: float(epsilon) });
}
