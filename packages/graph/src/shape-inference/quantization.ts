/** QuantizeLinear and DequantizeLinear: per tensor, per axis and blocked. */
import { DataType as T, dataTypeName } from '../data-type.js';
import type { Dim, Node } from '../node.js';
import { type ShapeRule, axisOf, compatible, conflict, formatShape, shapeOf, typeAttribute, typeOf } from './rule.js';

/** The type of the codes is that of the zero point, else `output_dtype`, else UINT8. */
export const inferQuantize: ShapeRule = (node) => {
  checkGrid(node);
  const named = typeAttribute(node, 'output_dtype');
  const dtype = node.inputs[2] === undefined ? (named ?? T.UINT8) : typeOf(node, 2);
  if (named !== undefined && named !== dtype) throw conflict(node, `output_dtype ${dataTypeName(named)}, zero point ${dataTypeName(dtype)}`);
  return [{ dtype, shape: shapeOf(node, 0) }];
};

/** The type of the result is `output_dtype`, else that of the scale. */
export const inferDequantize: ShapeRule = (node) => {
  checkGrid(node);
  if (node.inputs[2] !== undefined && typeOf(node, 2) !== typeOf(node, 0)) {
    throw conflict(node, `codes are ${dataTypeName(typeOf(node, 0))}, the zero point is ${dataTypeName(typeOf(node, 2))}`);
  }
  return [{ dtype: typeAttribute(node, 'output_dtype') ?? typeOf(node, 1), shape: shapeOf(node, 0) }];
};

/** A scale is one number, one per element of the axis, or one per block of it; the zero point has the shape of the scale. */
function checkGrid(node: Node): void {
  const [shape, scale] = [shapeOf(node, 0), shapeOf(node, 1)];
  const point = node.inputs[2] === undefined ? scale : shapeOf(node, 2);
  if (point.length !== scale.length || point.some((dim, i) => !compatible(dim, scale[i]))) {
    throw conflict(node, `scale is ${formatShape(scale)}, zero point ${formatShape(point)}`);
  }
  if (scale.length === 0 || (scale.length === 1 && scale[0] === 1)) return;
  const axis = axisOf(node, node.int('axis') ?? 1, shape.length);
  const block = node.int('block_size') ?? 0;
  const expected: readonly Dim[] = block > 0 ? shape.map((dim, i) => (i === axis && typeof dim === 'number' ? Math.ceil(dim / block) : dim)) : [shape[axis] as Dim];
  if (scale.length !== expected.length || expected.some((dim, i) => !compatible(dim, scale[i]))) {
    throw conflict(node, `scale is ${formatShape(scale)}, ${formatShape(expected)} expected for ${formatShape(shape)}`);
  }
}
