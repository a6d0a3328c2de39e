/** Conv: [N, C, spatial...] with a weight [M, C / group, kernel...]. */
import type { Dim, Node } from '../node.js';
import { type ShapeRule, commonType, compatible, conflict, formatShape, shapeOf, unknownDim } from './rule.js';

export const inferConv: ShapeRule = (node) => {
  const [x, w] = [shapeOf(node, 0), shapeOf(node, 1)];
  if (x.length < 3 || w.length !== x.length) throw conflict(node, `input ${formatShape(x)} and weight ${formatShape(w)} do not fit`);
  const group = node.int('group') ?? 1;
  const channels = typeof w[1] === 'number' ? w[1] * group : w[1];
  if (!compatible(x[1], channels)) throw conflict(node, `${x[1]} channels, the weight takes ${channels}`);
  const spatial = x.slice(2).map((dim, i) => {
    const kernel = w[i + 2];
    return typeof dim === 'number' && typeof kernel === 'number' ? outputExtent(node, dim, kernel, i, x.length - 2) : unknownDim(node, i + 2);
  });
  return [{ dtype: commonType(node, [0, 1]), shape: [x[0] as Dim, w[0] as Dim, ...spatial] }];
};

function outputExtent(node: Node, dim: number, kernel: number, axis: number, axes: number): number {
  const stride = node.ints('strides')?.[axis] ?? 1;
  const attribute = node.attributes.get('auto_pad');
  const autoPad = attribute?.type === 'string' ? attribute.value : 'NOTSET';
  if (autoPad.startsWith('SAME')) return Math.ceil(dim / stride);
  const pads = autoPad === 'VALID' ? undefined : node.ints('pads');
  const padded = dim + (pads?.[axis] ?? 0) + (pads?.[axis + axes] ?? 0);
  const window = (node.ints('dilations')?.[axis] ?? 1) * (kernel - 1) + 1;
  if (window > padded) throw conflict(node, `the window spans ${window} of ${padded}`);
  return Math.floor((padded - window) / stride) + 1;
}
