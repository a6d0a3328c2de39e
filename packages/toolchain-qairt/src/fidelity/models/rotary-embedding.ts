/** RotaryEmbedding: halves of each row are turned by the cosines and sines of its position. */
import { Unmodelled, realsOf, requiredGrid } from '../operand.js';
import { type OperationModel, asCodes, operand, rowsOf, scalar } from './model.js';

/** x [..., AR, D] = (x1, x2) -> (x1 cos - x2 sin, x1 sin + x2 cos); cos and sin [..., AR, D/2]. */
export const modelRotaryEmbedding: OperationModel = (operation, inputs, output) => {
  const [x, cos, sin] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
  const { rows, width } = rowsOf(x.tensor);
  const [half, positions] = [width / 2, x.tensor.dims.at(-2) ?? 1];
  const isTable = [cos, sin].every(({ tensor }) => rowsOf(tensor).width === half && rowsOf(tensor).rows === positions);
  if (inputs.length !== 3 || scalar(operation, 'interleaved', 0) !== 0 || !isTable) throw new Unmodelled('it turns neighbours, or by tables of other positions');
  const [values, cosines, sines] = [realsOf(x), realsOf(cos), realsOf(sin)];
  for (let row = 0; row < rows; row++) {
    const [first, table] = [row * width, (row % positions) * half];
    for (let i = 0; i < half; i++) {
      const [x1, x2, c, s] = [values[first + i], values[first + half + i], cosines[table + i], sines[table + i]] as [number, number, number, number];
      values[first + i] = x1 * c - x2 * s;
      values[first + half + i] = x1 * s + x2 * c;
    }
  }
  return { expected: asCodes(values, requiredGrid(output)) };
};
