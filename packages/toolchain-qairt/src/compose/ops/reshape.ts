/** Reshape, Unsqueeze, Squeeze, Flatten, Identity: Reshape, or nothing where only axes of 1 come or go. */
import type { ComposeNode } from './op.js';

export const composeReshape: ComposeNode = (composition, node) => {
  const [source, output] = [node.input(0), node.output()];
  const isSame = composition.dims(source).join() === composition.dims(output).join();
  composition.move(output, source, isSame ? undefined : { type: 'Reshape', inputs: [composition.tensorOf(source)] });
};
