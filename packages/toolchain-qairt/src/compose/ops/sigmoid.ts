/** Sigmoid: Sigmoid. Silu is x times it, as the adapted graph writes it. */
import type { ComposeNode } from './op.js';

export const composeSigmoid: ComposeNode = (composition, node) => {
  composition.make(node.output(), { type: 'Sigmoid', inputs: [composition.tensorOf(node.input(0))] });
};
