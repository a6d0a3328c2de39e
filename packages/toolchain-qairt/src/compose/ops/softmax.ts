/** Softmax over the last axis: Softmax. */
import { float, unsigned } from '../parameters.js';
import { type ComposeNode, unsupportedForm } from './op.js';

export const composeSoftmax: ComposeNode = (composition, node) => {
  const axis = composition.axis(node.input(0), node.int('axis') ?? -1);
  if (axis !== 3) throw unsupportedForm(node, `axis ${axis} of four`, 'softmax goes along the last axis');
  composition.make(node.output(), { type: 'Softmax', inputs: [composition.tensorOf(node.input(0))], parameters: [unsigned('axis', axis), float('beta', 1)] });
};
