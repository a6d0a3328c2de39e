/** Operations that move codes and compute nothing: what comes out is exactly what went in. */
import type { QnnData, QnnOperation } from '@tundish/native/qnn';
import { type Operand, Unmodelled, gridOf } from '../operand.js';
import { type OperationModel, elementsIn, list, operand, scalar } from './model.js';

export const modelReshape = moving((_operation, [x]) => x.codes);

/** Rows of a table by their ids. */
export const modelGather: OperationModel = (operation, inputs, output) => {
  const [table, ids] = [operand(inputs, 0), operand(inputs, 1)];
  if (scalar(operation, 'axis', 0) !== 0) throw new Unmodelled('it gathers along another axis than the first');
  const width = elementsIn(table.tensor.dims.slice(1));
  const expected = new Float64Array(ids.codes.length * width);
  ids.codes.forEach((id, row) => expected.set(table.codes.subarray(id * width, (id + 1) * width), row * width));
  assertSameGrid([table], output);
  return { expected };
};

/** All codes within [begin, end) of every axis. */
export const modelSlice = moving((operation, [{ tensor: { dims }, codes }]) => {
  const ranges = list(operation, 'ranges');
  const at = (axis: number, field: number): number => ranges[axis * 3 + field] as number;
  const sizes = dims.map((_, axis) => at(axis, 1) - at(axis, 0));
  if (dims.some((_, axis) => at(axis, 2) !== 1)) throw new Unmodelled('it leaves elements out');
  return pick(codes, sizes, stridesOf(dims), dims.reduce((offset, _, axis) => offset + at(axis, 0) * (stridesOf(dims)[axis] as number), 0));
});

export const modelTranspose = moving((operation, [{ tensor: { dims }, codes }]) => {
  const perm = list(operation, 'perm');
  const strides = stridesOf(dims);
  return pick(codes, perm.map((axis) => dims[axis] as number), perm.map((axis) => strides[axis] as number), 0);
});

export const modelConcat: OperationModel = (operation, inputs, output) => {
  assertSameGrid(inputs, output);
  const axis = scalar(operation, 'axis', 0);
  const outer = elementsIn(output.dims.slice(0, axis));
  const expected = new Float64Array(elementsIn(output.dims));
  let at = 0;
  for (let i = 0; i < outer; i++) {
    for (const { codes } of inputs) {
      const length = codes.length / outer;
      expected.set(codes.subarray(i * length, (i + 1) * length), at);
      at += length;
    }
  }
  return { expected };
};

function moving(move: (operation: QnnOperation, inputs: readonly [Operand]) => ArrayLike<number>): OperationModel {
  return (operation, inputs, output) => {
    const source = operand(inputs, 0);
    assertSameGrid([source], output);
    return { expected: Float64Array.from(move(operation, [source])) };
  };
}

/** Codes would mean something else behind the operation. */
function assertSameGrid(inputs: readonly Operand[], output: Parameters<OperationModel>[2]): void {
  const to = gridOf(output);
  for (const { tensor } of inputs) {
    const from = gridOf(tensor);
    if (from?.scale !== to?.scale || from?.offset !== to?.offset || tensor.element !== output.element) throw new Unmodelled(`it moves the codes of ${tensor.name} onto another grid`);
  }
}

function stridesOf(dims: readonly number[]): number[] {
  return dims.map((_, axis) => elementsIn(dims.slice(axis + 1)));
}

/** Elements of a view with these sizes and strides, row-major. */
function pick(codes: QnnData, sizes: readonly number[], strides: readonly number[], first: number): Float64Array {
  const picked = new Float64Array(elementsIn(sizes));
  const index = sizes.map(() => 0);
  for (let i = 0, at = first; i < picked.length; i++) {
    picked[i] = codes[at] as number;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      at += strides[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if (index[axis] !== sizes[axis]) break;
      at -= (sizes[axis] as number) * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return picked;
}
