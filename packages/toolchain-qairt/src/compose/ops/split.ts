/** Split: one StridedSlice for each output that is used. */
import { type Node, integerValues } from '@tundish/graph';
import { tensorParameter } from '../parameters.js';
import { type ComposeNode, unsupportedForm } from './op.js';

export const composeSplit: ComposeNode = (composition, node) => {
  const source = node.input(0);
  const axis = composition.axis(source, node.int('axis') ?? 0);
  const dims = composition.dims(source);
  const sizes = node.outputs.map((output) => composition.dims(output)[axis] as number);
  const stated = node.inputs[1]?.tensor === undefined ? undefined : integerValues(node.inputs[1].tensor);
  if ((node.inputs[1] !== undefined && stated?.join() !== sizes.join()) || sum(sizes) !== dims[axis]) throw unsupportedForm(node, 'its sizes are not constants, or contradict the shapes of its outputs');
  let from = 0;
  node.outputs.forEach((output, i) => {
    const to = from + (sizes[i] as number);
    if (isRead(node, i)) composition.move(output, source, { type: 'StridedSlice', inputs: [composition.tensorOf(source)], parameters: [ranges(dims, axis, from, to)] });
    from = to;
  });
};

function isRead(node: Node, i: number): boolean {
  const output = node.output(i);
  return output.uses.length > 0 || node.graph.outputs.includes(output);
}

/** Begin, end and stride of each axis. */
function ranges(dims: readonly number[], axis: number, from: number, to: number): ReturnType<typeof tensorParameter> {
  return tensorParameter('ranges', [dims.length, 3], Int32Array.from(dims.flatMap((dim, i) => (i === axis ? [from, to, 1] : [0, dim, 1]))));
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
