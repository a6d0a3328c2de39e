/** Operators that work element by element, with numpy broadcasting. */
import { DataType as T } from '../data-type.js';
import { type ShapeRule, broadcast, commonType, conflict, shapeOf, typeAttribute, typeOf } from './rule.js';

/** Sigmoid, Relu, Identity and others that keep type and shape. */
export const inferUnary: ShapeRule = (node) => [{ dtype: typeOf(node, 0), shape: shapeOf(node, 0) }];

/** Add, Sub, Mul, Div and the bitwise ones: operands of one type. */
export const inferBinary: ShapeRule = (node) => [{ dtype: commonType(node, [0, 1]), shape: broadcast(node, [shapeOf(node, 0), shapeOf(node, 1)]) }];

/** Pow has the type of its base; the exponent may have another. */
export const inferPow: ShapeRule = (node) => [{ dtype: typeOf(node, 0), shape: broadcast(node, [shapeOf(node, 0), shapeOf(node, 1)]) }];

export const inferWhere: ShapeRule = (node) => {
  if (typeOf(node, 0) !== T.BOOL) throw conflict(node, 'the condition is not BOOL');
  return [{ dtype: commonType(node, [1, 2]), shape: broadcast(node, [0, 1, 2].map((i) => shapeOf(node, i))) }];
};

export const inferCast: ShapeRule = (node) => {
  const dtype = typeAttribute(node, 'to');
  if (dtype === undefined) throw conflict(node, 'attribute to is missing');
  return [{ dtype, shape: shapeOf(node, 0) }];
};
