/** Operators that keep all elements and change how they are seen: Transpose, Reshape, Squeeze, Unsqueeze, Expand. */
import { elementCount } from '../data-type.js';
import type { Dim, Node } from '../node.js';
import { type Shape, type ShapeRule, axisOf, broadcast, conflict, formatShape, isStatic, knownIntegers, shapeOf, typeOf, unknownDim } from './rule.js';

export const inferTranspose: ShapeRule = (node) => {
  const shape = shapeOf(node, 0);
  const perm = node.ints('perm') ?? shape.map((_, i) => shape.length - 1 - i);
  const isPermutation = perm.length === shape.length && shape.every((_, i) => perm.includes(i));
  if (!isPermutation) throw conflict(node, `perm [${perm}] does not permute rank ${shape.length}`);
  return [{ dtype: typeOf(node, 0), shape: perm.map((axis) => shape[axis] as Dim) }];
};

/** 0 copies the dim of the input (unless allowzero), -1 takes what is left. */
export const inferReshape: ShapeRule = (node) => {
  const dtype = typeOf(node, 0);
  const target = knownIntegers(node.input(1));
  if (target === undefined) return [{ dtype, shape: undefined }];
  const input = shapeOf(node, 0);
  const copied = target.map((dim, i) => (dim === 0 && node.int('allowzero') !== 1 ? copiedDim(node, input, i) : dim));
  const free = copied.indexOf(-1);
  if (copied.lastIndexOf(-1) !== free || copied.some((dim) => typeof dim === 'number' && dim < -1)) throw conflict(node, `shape [${target}] is malformed`);
  return [{ dtype, shape: free < 0 ? exactShape(node, input, copied) : filledShape(node, input, copied, free) }];
};

function copiedDim(node: Node, input: Shape, index: number): Dim {
  const dim = input[index];
  if (dim === undefined) throw conflict(node, `shape copies dim ${index} of ${formatShape(input)}`);
  return dim;
}

function exactShape(node: Node, input: Shape, shape: Shape): Shape {
  if (isStatic(input) && isStatic(shape) && elementCount(input) !== elementCount(shape)) {
    throw conflict(node, `${formatShape(input)} cannot be seen as ${formatShape(shape)}`);
  }
  return shape;
}

function filledShape(node: Node, input: Shape, shape: Shape, free: number): Shape {
  const others = shape.filter((_, i) => i !== free);
  if (!isStatic(input) || !isStatic(others)) return shape.map((dim, i) => (i === free ? unknownDim(node, i) : dim));
  const left = elementCount(input) / elementCount(others);
  if (!Number.isSafeInteger(left)) throw conflict(node, `${formatShape(input)} cannot be seen as ${formatShape(shape)}`);
  return shape.map((dim, i) => (i === free ? left : dim));
}

export const inferSqueeze: ShapeRule = (node) => {
  const shape = shapeOf(node, 0);
  const given = node.inputs[1];
  const axes = given === undefined ? shape.flatMap((dim, i) => (dim === 1 ? [i] : [])) : knownIntegers(given)?.map((axis) => axisOf(node, axis, shape.length));
  if (axes === undefined) return [{ dtype: typeOf(node, 0), shape: undefined }];
  const wide = axes.find((axis) => typeof shape[axis] === 'number' && shape[axis] !== 1);
  if (wide !== undefined) throw conflict(node, `axis ${wide} of ${formatShape(shape)} is not 1`);
  return [{ dtype: typeOf(node, 0), shape: shape.filter((_, i) => !axes.includes(i)) }];
};

export const inferUnsqueeze: ShapeRule = (node) => {
  const shape = shapeOf(node, 0);
  const given = knownIntegers(node.input(1));
  if (given === undefined) return [{ dtype: typeOf(node, 0), shape: undefined }];
  const rank = shape.length + given.length;
  const axes = new Set(given.map((axis) => axisOf(node, axis, rank)));
  if (axes.size !== given.length) throw conflict(node, `axes [${given}] are not distinct`);
  const rest = [...shape];
  return [{ dtype: typeOf(node, 0), shape: Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : (rest.shift() as Dim))) }];
};

export const inferExpand: ShapeRule = (node) => {
  const target = knownIntegers(node.input(1));
  return [{ dtype: typeOf(node, 0), shape: target === undefined ? undefined : broadcast(node, [shapeOf(node, 0), target]) }];
};
