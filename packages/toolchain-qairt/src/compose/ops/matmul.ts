/** MatMul: Conv2d where the second operand is a weight, MatMul of two activations elsewhere. */
import { matchProjection } from '@tundish/graph';
import { flag } from '../parameters.js';
import { type ComposeNode, unsupportedForm } from './op.js';
import { composeProjection } from './projection.js';

export const composeMatMul: ComposeNode = (composition, node) => {
  const projection = matchProjection(node);
  if (projection !== undefined) return composeProjection(composition, projection);
  const { encodings, folded } = composition.source;
  const operands = [node.input(0), node.input(1)];
  if (!operands.every((operand) => encodings.has(operand))) throw unsupportedForm(node, 'it multiplies with a constant that is no weight [out, in] behind a Transpose');
  const [a, b] = operands.map((operand) => composition.dims(operand)) as [readonly number[], readonly number[]];
  if (a[0] !== b[0] || a[1] !== b[1]) throw unsupportedForm(node, `it broadcasts [${a}] over [${b}]`, 'transform the graph with mha2sha');
  composition.make(folded.products.get(node) ?? node.output(), {
    type: 'MatMul', inputs: operands.map((operand) => composition.tensorOf(operand)),
    parameters: [flag('transpose_in0', false), flag('transpose_in1', false)],
  });
};
