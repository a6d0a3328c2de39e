/** Operations over single elements: sums, differences, products, Sigmoid, and Convert between grids. */
import type { PlannedTensor } from '../../compose/plan.js';
import { Unmodelled, realsOf, requiredGrid } from '../operand.js';
import { type OperationModel, asCodes, elementsIn, operand } from './model.js';

function binary(compute: (a: number, b: number) => number): OperationModel {
  return (_operation, inputs, output) => {
    const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
    const [left, right] = [realsOf(a), realsOf(b)];
    const [leftAt, rightAt] = [places(a.tensor, output), places(b.tensor, output)];
    const reals = new Float64Array(elementsIn(output.dims));
    for (let i = 0; i < reals.length; i++) reals[i] = compute(left[leftAt(i)] as number, right[rightAt(i)] as number);
    return { expected: asCodes(reals, requiredGrid(output)) };
  };
}

export const modelAdd = binary((a, b) => a + b);
export const modelSubtract = binary((a, b) => a - b);
export const modelMultiply = binary((a, b) => a * b);

export const modelSigmoid: OperationModel = (_operation, inputs, output) => ({ expected: asCodes(realsOf(operand(inputs, 0)).map((x) => 1 / (1 + Math.exp(-x))), requiredGrid(output)) });

export const modelConvert: OperationModel = (_operation, inputs, output) => ({ expected: asCodes(realsOf(operand(inputs, 0)), requiredGrid(output)) });

/** Where the element for place `i` of the output lies in an operand whose axes are as long, or 1. @throws Unmodelled */
function places({ name, dims }: PlannedTensor, output: PlannedTensor): (i: number) => number {
  if (dims.join() === output.dims.join()) return (i) => i;
  if (dims.length !== output.dims.length || dims.some((dim, axis) => dim !== 1 && dim !== output.dims[axis])) throw new Unmodelled(`[${dims}] of ${name} does not broadcast to [${output.dims}]`);
  return (i) => {
    let [rest, at, stride] = [i, 0, 1];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const dim = output.dims[axis] as number;
      if (dims[axis] !== 1) at += (rest % dim) * stride;
      stride *= dims[axis] as number;
      rest = Math.floor(rest / dim);
    }
    return at;
  };
}
