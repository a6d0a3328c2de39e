/** Where ONNX operators keep extents: the constants and attributes in which AR, CL and CL-AR are replaced. */
import type { Use } from '@tundish/graph';

/** Inputs that are shapes, sizes or positions along an axis, by operator. */
const INPUTS: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1],
  ConstantOfShape: [0],
  Slice: [1, 2],
  Split: [1],
};

/** The same as attributes, as opsets before 13 had them. */
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  Split: ['split'],
  Slice: ['starts', 'ends'],
};

/** True when the constant is read as extents here. */
export function readsExtents({ node, index }: Use): boolean {
  return INPUTS[node.opType]?.includes(index) ?? false;
}

export function isExtentAttribute(opType: string, attribute: string): boolean {
  return ATTRIBUTES[opType]?.includes(attribute) ?? false;
}
