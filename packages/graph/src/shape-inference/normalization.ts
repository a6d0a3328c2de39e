/** Softmax, RMSNormalization and reductions: operators along one or more axes. */
import type { Dim } from '../node.js';
import { type ShapeRule, axisOf, broadcast, commonType, conflict, formatShape, knownIntegers, shapeOf, typeOf } from './rule.js';

export const inferSoftmax: ShapeRule = (node) => {
  const shape = shapeOf(node, 0);
  axisOf(node, node.int('axis') ?? -1, shape.length);
  return [{ dtype: typeOf(node, 0), shape }];
};

/** The scale must broadcast to the normalized axes, and the result has the shape of X. */
export const inferRmsNormalization: ShapeRule = (node) => {
  const [shape, scale] = [shapeOf(node, 0), shapeOf(node, 1)];
  axisOf(node, node.int('axis') ?? -1, shape.length);
  const joint = broadcast(node, [shape, scale]);
  if (joint.length !== shape.length || joint.some((dim, i) => typeof dim === 'number' && shape[i] === 1 && dim !== 1)) {
    throw conflict(node, `scale ${formatShape(scale)} is wider than ${formatShape(shape)}`);
  }
  return [{ dtype: commonType(node, [0, 1]), shape }];
};

/** ReduceMin, ReduceMax, ReduceMean of opset 18, where the axes are an input. */
export const inferReduce: ShapeRule = (node) => {
  const shape = shapeOf(node, 0);
  const dtype = typeOf(node, 0);
  const given = node.inputs[1];
  const listed = given === undefined ? [] : knownIntegers(given);
  if (listed === undefined) return [{ dtype, shape: undefined }];
  if (listed.length === 0 && node.int('noop_with_empty_axes') === 1) return [{ dtype, shape }];
  const axes = listed.length === 0 ? shape.map((_, i) => i) : listed.map((axis) => axisOf(node, axis, shape.length));
  const keep = node.int('keepdims') !== 0;
  return [{ dtype, shape: shape.flatMap((dim, i): Dim[] => (axes.includes(i) ? (keep ? [1] : []) : [dim])) }];
};
