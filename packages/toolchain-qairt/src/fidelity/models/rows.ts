/** Operations over rows: RmsNorm and Softmax along the last axis. */
import { Unmodelled, realsOf, requiredGrid } from '../operand.js';
import { type OperationModel, asCodes, list, operand, rowsOf, scalar } from './model.js';

/** x / sqrt(mean(x²) + epsilon) * gain. */
export const modelRmsNorm: OperationModel = (operation, inputs, output) => {
  const [x, gain, beta] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
  if (list(operation, 'axes').join() !== `${x.tensor.dims.length - 1}` || beta.codes.some((code) => code !== 0)) throw new Unmodelled('it norms another axis than the last, or adds');
  const { rows, width } = rowsOf(x.tensor);
  const [values, gains, epsilon] = [realsOf(x), realsOf(gain), scalar(operation, 'epsilon', 0)];
  for (let row = 0; row < rows; row++) {
    const part = values.subarray(row * width, (row + 1) * width);
    const root = Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / width + epsilon);
    for (let i = 0; i < width; i++) part[i] = ((part[i] as number) / root) * (gains[i] as number);
  }
  return { expected: asCodes(values, requiredGrid(output)) };
};

export const modelSoftmax: OperationModel = (operation, inputs, output) => {
  const x = operand(inputs, 0);
  if (scalar(operation, 'axis', x.tensor.dims.length - 1) !== x.tensor.dims.length - 1 || scalar(operation, 'beta', 1) !== 1) throw new Unmodelled('it is no plain softmax of the last axis');
  const { rows, width } = rowsOf(x.tensor);
  const values = realsOf(x);
  for (let row = 0; row < rows; row++) {
    const part = values.subarray(row * width, (row + 1) * width);
    const largest = part.reduce((max, value) => Math.max(max, value), -Infinity);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += part[i] = Math.exp((part[i] as number) - largest);
    for (let i = 0; i < width; i++) part[i] = (part[i] as number) / sum;
  }
  return { expected: asCodes(values, requiredGrid(output)) };
};
