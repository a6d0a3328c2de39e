/** Our own Hadamard: rotates groups of neighbours along one axis. */
import { rotationOf } from '../hadamard/hadamard-node.js';
import { type ShapeRule, conflict, formatShape, shapeOf, typeOf } from './rule.js';

/** [..., axis, ...] -> the same; `size` divides the axis. */
export const inferHadamard: ShapeRule = (node) => {
  const shape = shapeOf(node, 0);
  const { axis = -1, size = 0 } = rotationOf(node) ?? {};
  const extent = shape[axis];
  if (extent === undefined || size < 1 || (typeof extent === 'number' && extent % size !== 0)) throw conflict(node, `groups of ${size} along axis ${axis} of ${formatShape(shape)}`);
  return [{ dtype: typeOf(node, 0), shape }];
};
