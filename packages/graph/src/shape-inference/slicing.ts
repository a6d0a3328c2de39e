/** Operators that cut along axes or join: Slice, Split, Concat. */
import type { Dim, Node } from '../node.js';
import { type Inferred, type ShapeRule, axisOf, commonType, compatible, conflict, formatShape, knownIntegers, shapeOf, typeOf, unknownDim } from './rule.js';

export const inferConcat: ShapeRule = (node) => {
  const shapes = node.inputs.map((_, i) => shapeOf(node, i));
  const first = shapes[0] ?? [];
  const axis = axisOf(node, node.int('axis') ?? 0, first.length);
  const odd = shapes.find((shape) => shape.length !== first.length || shape.some((dim, i) => i !== axis && !compatible(dim, first[i])));
  if (odd !== undefined) throw conflict(node, `${formatShape(first)} and ${formatShape(odd)} cannot be joined along axis ${axis}`);
  const along = shapes.map((shape) => shape[axis] as Dim);
  const total = along.every((dim) => typeof dim === 'number') ? along.reduce((sum, dim) => sum + dim, 0) : unknownDim(node, axis);
  const shape = first.map((dim, i) => (i === axis ? total : (shapes.map((s) => s[i]).find((d) => typeof d === 'number') ?? dim)));
  return [{ dtype: commonType(node, node.inputs.map((_, i) => i)), shape }];
};

/** Sizes come from input 1, or are equal with a smaller last one. */
export const inferSplit: ShapeRule = (node) => {
  const shape = shapeOf(node, 0);
  const axis = axisOf(node, node.int('axis') ?? 0, shape.length);
  const extent = shape[axis] as Dim;
  const given = node.inputs[1];
  const sizes = given === undefined ? equalParts(node, extent) : knownIntegers(given);
  const dtype = typeOf(node, 0);
  if (sizes === undefined) return node.outputs.map((): Inferred => ({ dtype, shape: undefined }));
  if (sizes.length !== node.outputs.length) throw conflict(node, `${sizes.length} sizes for ${node.outputs.length} outputs`);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (!compatible(total, extent)) throw conflict(node, `sizes [${sizes}] sum to ${total}, axis ${axis} is ${extent}`);
  return sizes.map((size) => ({ dtype, shape: shape.map((dim, i) => (i === axis ? size : dim)) }));
};

function equalParts(node: Node, extent: Dim): number[] | undefined {
  if (typeof extent !== 'number') return undefined;
  const count = node.int('num_outputs') ?? node.outputs.length;
  const size = Math.ceil(extent / count);
  return Array.from({ length: count }, (_, i) => (i < count - 1 ? size : extent - size * (count - 1)));
}

/** Bounds are clamped as in numpy, after negative ones have counted from the end. */
export const inferSlice: ShapeRule = (node) => {
  const dtype = typeOf(node, 0);
  const shape = [...shapeOf(node, 0)];
  const [starts, ends] = [knownIntegers(node.input(1)), knownIntegers(node.input(2))];
  const axes = node.inputs[3] === undefined ? starts?.map((_, i) => i) : knownIntegers(node.inputs[3]);
  const steps = node.inputs[4] === undefined ? starts?.map(() => 1) : knownIntegers(node.inputs[4]);
  if (starts === undefined || ends === undefined || axes === undefined || steps === undefined) return [{ dtype, shape: undefined }];
  if ([ends, axes, steps].some((list) => list.length !== starts.length)) throw conflict(node, 'starts, ends, axes and steps differ in length');
  starts.forEach((start, i) => {
    const axis = axisOf(node, axes[i] as number, shape.length);
    const dim = shape[axis] as Dim;
    shape[axis] = typeof dim === 'number' ? slicedExtent(node, dim, start, ends[i] as number, steps[i] as number) : unknownDim(node, axis);
  });
  return [{ dtype, shape }];
};

function slicedExtent(node: Node, dim: number, start: number, end: number, step: number): number {
  if (step === 0) throw conflict(node, 'step 0');
  const clamp = (bound: number, low: number, high: number): number => Math.min(Math.max(bound < 0 ? bound + dim : bound, low), high);
  const from = step > 0 ? clamp(start, 0, dim) : clamp(start, 0, dim - 1);
  const to = step > 0 ? clamp(end, 0, dim) : clamp(end, -1, dim - 1);
  return Math.max(0, Math.ceil((to - from) / step));
}
