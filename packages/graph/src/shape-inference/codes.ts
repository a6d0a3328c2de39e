/** Our own operators that compute on codes of 16 bits element by element or row by row. */
import { DataType } from '../data-type.js';
import type { Dim, Node } from '../node.js';
import { type ShapeRule, broadcast, conflict, shapeOf, typeOf } from './rule.js';

/** uint16 x uint16 -> uint16, as numpy broadcasts. */
export const inferCodeBinary: ShapeRule = (node) => {
  assertCodes(node, [0, 1]);
  return [{ dtype: DataType.UINT16, shape: broadcast(node, [shapeOf(node, 0), shapeOf(node, 1)]) }];
};

/** uint16 -> uint16 of the same shape; what else a row is computed with is a constant. */
export const inferCodeUnary: ShapeRule = (node) => {
  assertCodes(node, [0]);
  return [{ dtype: DataType.UINT16, shape: shapeOf(node, 0) }];
};

/** x uint16 [..., AR, D], cos and sin uint16 [..., AR, D/2] -> uint16 of the shape of x. */
export const inferCodeRotary: ShapeRule = (node) => {
  assertCodes(node, [0, 1, 2]);
  const [shape, ...tables] = [0, 1, 2].map((index) => shapeOf(node, index)) as [readonly Dim[], ...(readonly Dim[])[]];
  const [rows, width] = shape.slice(-2);
  if (tables.some((table) => table.at(-2) !== rows || Number(table.at(-1)) * 2 !== width)) throw conflict(node, `tables of [${tables.join('] and [')}] do not turn halves of [${shape}]`);
  return [{ dtype: DataType.UINT16, shape }];
};

/** uint16 -> uint8 of the same shape. */
export const inferCodeNarrow: ShapeRule = (node) => {
  assertCodes(node, [0]);
  return [{ dtype: DataType.UINT8, shape: shapeOf(node, 0) }];
};

function assertCodes(node: Node, indices: readonly number[]): void {
  if (indices.some((index) => typeOf(node, index) !== DataType.UINT16)) throw conflict(node, 'an operand is not uint16');
}
