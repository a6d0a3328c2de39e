/** Operators that address elements by index: Gather, GatherBlockQuantized, ScatterElements. */
import { DataType as T, dataTypeName } from '../data-type.js';
import type { Dim, Node } from '../node.js';
import { INDEX_TYPES, type Shape, type ShapeRule, axisOf, commonType, compatible, conflict, formatShape, shapeOf, typeOf } from './rule.js';

export const inferGather: ShapeRule = (node) => {
  const data = shapeOf(node, 0);
  const axis = axisOf(node, node.int('axis') ?? 0, data.length);
  return [{ dtype: typeOf(node, 0), shape: gathered(node, data, axis) }];
};

function gathered(node: Node, data: Shape, axis: number): Dim[] {
  requireIndices(node);
  return [...data.slice(0, axis), ...shapeOf(node, 1), ...data.slice(axis + 1)];
}

function requireIndices(node: Node): void {
  const type = typeOf(node, 1);
  if (!INDEX_TYPES.includes(type)) throw conflict(node, `indices are ${dataTypeName(type)}`);
}

/** Rows of a block-quantized table, dequantized; UINT8 data holds 8 / bits codes a byte (onnxruntime docs/ContribOperators.md). */
export const inferGatherBlockQuantized: ShapeRule = (node) => {
  const stored = shapeOf(node, 0);
  const codes = typeOf(node, 0) === T.UINT8 ? 8 / (node.int('bits') ?? 4) : 1;
  const last = stored.length - 1;
  const data = stored.map((dim, i) => (i === last && typeof dim === 'number' ? dim * codes : dim));
  return [{ dtype: typeOf(node, 2), shape: gathered(node, data, axisOf(node, node.int('gather_axis') ?? 0, data.length)) }];
};

export const inferScatterElements: ShapeRule = (node) => {
  requireIndices(node);
  const [data, indices, updates] = [shapeOf(node, 0), shapeOf(node, 1), shapeOf(node, 2)];
  axisOf(node, node.int('axis') ?? 0, data.length);
  if (indices.length !== data.length || updates.length !== data.length || indices.some((dim, i) => !compatible(dim, updates[i]))) {
    throw conflict(node, `data ${formatShape(data)}, indices ${formatShape(indices)} and updates ${formatShape(updates)} do not fit`);
  }
  return [{ dtype: commonType(node, [0, 2]), shape: data }];
};
