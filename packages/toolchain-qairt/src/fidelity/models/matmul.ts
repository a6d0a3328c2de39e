/** MatMul of two activations: sums of integer products. */
import { ELEMENT_CODES } from '../../inspection/element-types.js';
import { Unmodelled, requiredGrid } from '../operand.js';
import { type OperationModel, elementsIn, operand, scalar } from './model.js';

export const modelMatMul: OperationModel = (operation, inputs, output) => {
  const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
  const [m = 1, k = 1] = a.tensor.dims.slice(-2);
  const n = b.tensor.dims.at(-1) ?? 1;
  const batch = elementsIn(a.tensor.dims.slice(0, -2));
  if (inputs.length !== 2 || scalar(operation, 'transpose_in0', 0) !== 0 || scalar(operation, 'transpose_in1', 0) !== 0 || b.tensor.dims.at(-2) !== k || elementsIn(b.tensor.dims.slice(0, -2)) !== batch) throw new Unmodelled('it broadcasts, transposes or adds');
  const [left, right, to] = [requiredGrid(a.tensor), requiredGrid(b.tensor), requiredGrid(output)];
  const step = (left.scale * right.scale) / to.scale;
  const expected = new Float64Array(batch * m * n);
  for (let row = 0; row < batch * m; row++) {
    const sums = expected.subarray(row * n, (row + 1) * n);
    const second = Math.floor(row / m) * k * n;
    for (let i = 0; i < k; i++) {
      const factor = (a.codes[row * k + i] as number) + left.offset;
      for (let j = 0; j < n; j++) sums[j] = (sums[j] as number) + factor * ((b.codes[second + i * n + j] as number) + right.offset);
    }
    for (let j = 0; j < n; j++) sums[j] = (sums[j] as number) * step - to.offset;
  }
  return { expected, unit: WIDE.has(b.tensor.element) ? step * 256 : step };
};

/** A second factor of 16 bits costs the low 16 bits of the sum instead of 8. */
const WIDE: ReadonlySet<number> = new Set([ELEMENT_CODES.UFIXED_POINT_16, ELEMENT_CODES.SFIXED_POINT_16]);
