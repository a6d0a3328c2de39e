/** Add, Sub and Mul of two activations: ElementWiseAdd, ElementWiseSubtract, ElementWiseMultiply. */
import type { Node } from '@tundish/graph';
import type { Composition } from '../composition.js';
import { type ComposeNode, unsupportedForm } from './op.js';

const TYPES: Readonly<Record<string, string>> = { Add: 'ElementWiseAdd', Sub: 'ElementWiseSubtract', Mul: 'ElementWiseMultiply' };

export const composeElementwise: ComposeNode = (composition, node) => {
  assertActivations(composition, node);
  const inputs = [node.input(0), node.input(1)].map((input) => composition.tensorOf(input));
  composition.make(node.output(), { type: TYPES[node.opType] as string, inputs });
};

function assertActivations({ source }: Composition, node: Node): void {
  const constant = [node.input(0), node.input(1)].find((input) => !source.encodings.has(input));
  if (constant === undefined) return;
  throw unsupportedForm(node, `its operand ${constant.name} is a constant without an encoding`, 'biases and gains of activations are kept in floating point, which this compiler does not mix with codes; scores times a constant are folded into the query projection');
}
