/** What a shape rule is, and the vocabulary that all rules share: operand shapes, axes, constants, conflicts. */
import { printable } from '@tundish/diagnostics';
import { DataType as T, type DataType, dataTypeName, isDataType } from '../data-type.js';
import { graphError } from '../errors.js';
import type { Dim, Node, Value } from '../node.js';
import { integerValues } from '../tensor.js';

/** Element type and shape of one output; a part that depends on data is undefined. */
export interface Inferred {
  readonly dtype: DataType;
  readonly shape: readonly Dim[] | undefined;
}

/** Types and shapes of the outputs of a node whose inputs are all known. @throws GRAPH_SHAPE_CONFLICT */
export type ShapeRule = (node: Node) => readonly Inferred[];

export type Shape = readonly Dim[];

/** `[2,4]`, symbols by name. */
export function formatShape(shape: Shape | undefined): string {
  return shape === undefined ? 'unknown' : `[${shape.map((dim) => (typeof dim === 'number' ? dim : printable(dim))).join(',')}]`;
}

export function conflict(node: Node, fault: string): Error {
  const inputs = node.inputs.map((input) => (input === undefined ? 'absent' : `${input.dtype === undefined ? '?' : dataTypeName(input.dtype)} ${formatShape(input.shape)}`));
  return graphError('GRAPH_SHAPE_CONFLICT', {
    what: `${printable(node.name)}: ${fault}`,
    why: `${printable(node.opType)} does not take these operands`,
    evidence: { detail: `node ${printable(node.name)}, inputs ${inputs.join(', ')}` },
    fix: 'correct the node or the shapes that reach it, or export the model again',
  });
}

/** Shape of an input that must be present; the driver calls rules only when the shapes of all inputs are known. */
export function shapeOf(node: Node, index: number): Shape {
  const { shape } = node.input(index);
  if (shape === undefined) throw conflict(node, `shape of input ${index} is not known`);
  return shape;
}

export function typeOf(node: Node, index: number): DataType {
  const { dtype } = node.input(index);
  if (dtype === undefined) throw conflict(node, `type of input ${index} is not known`);
  return dtype;
}

/** The type that all the given inputs have. */
export function commonType(node: Node, indices: readonly number[]): DataType {
  const types = indices.map((index) => typeOf(node, index));
  const first = types[0] as DataType;
  const other = types.find((type) => type !== first);
  if (other !== undefined) throw conflict(node, `inputs are ${dataTypeName(first)} and ${dataTypeName(other)}`);
  return first;
}

/** The type that an integer attribute names. */
export function typeAttribute(node: Node, name: string): DataType | undefined {
  const code = node.int(name);
  if (code === undefined || code === 0) return undefined;
  if (!isDataType(code)) throw conflict(node, `${name} is unknown data_type ${code}`);
  return code;
}

/** A possibly negative axis as an index below `rank`. */
export function axisOf(node: Node, axis: number, rank: number): number {
  if (axis < -rank || axis >= rank) throw conflict(node, `axis ${axis} is outside of rank ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

/** Integers that are known without running the graph: inline constants, and the Shape of a static shape. */
export function knownIntegers(value: Value): readonly number[] | undefined {
  if (value.tensor !== undefined) return integerValues(value.tensor);
  const { producer } = value;
  if (producer?.opType !== 'Shape') return undefined;
  const shape = producer.inputs[0]?.shape?.slice(producer.int('start') ?? 0, producer.int('end'));
  return shape !== undefined && isStatic(shape) ? shape : undefined;
}

export function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => typeof dim === 'number');
}

/** A name for an extent that only a run can tell. */
export function unknownDim(node: Node, axis: number): string {
  return `${node.output().name}_dim_${axis}`;
}

/** Numpy broadcasting. A symbol meets a number above 1 as that number, since nothing else would run. */
export function broadcast(node: Node, shapes: readonly Shape[]): Dim[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).filter((dim) => dim !== 1);
    const fixed = dims.find((dim) => typeof dim === 'number');
    if (fixed !== undefined && dims.some((dim) => typeof dim === 'number' && dim !== fixed)) {
      throw conflict(node, `${shapes.map(formatShape).join(' and ')} do not broadcast`);
    }
    return fixed ?? dims[0] ?? 1;
  });
}

/** True unless both are numbers that differ. */
export function compatible(a: Dim | undefined, b: Dim | undefined): boolean {
  return typeof a !== 'number' || typeof b !== 'number' || a === b;
}

export const INDEX_TYPES: readonly DataType[] = [T.INT32, T.INT64];
