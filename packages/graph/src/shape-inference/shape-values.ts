/** Operators that turn shapes into data and back: Shape, ConstantOfShape. */
import { DataType as T } from '../data-type.js';
import { type ShapeRule, knownIntegers, shapeOf } from './rule.js';

export const inferShape: ShapeRule = (node) => [{ dtype: T.INT64, shape: [shapeOf(node, 0).slice(node.int('start') ?? 0, node.int('end')).length] }];

/** Filled with the one element of attribute `value`, float 0 by default. */
export const inferConstantOfShape: ShapeRule = (node) => {
  const value = node.attributes.get('value');
  return [{ dtype: value?.type === 'tensor' ? value.value.dtype : T.FLOAT, shape: knownIntegers(node.input(0)) }];
};
