/** Transpose: Transpose, and a Convert where the result has a grid of its own, as a cache has. */
import { tensorParameter } from '../parameters.js';
import { staticDims } from '../composition.js';
import type { ComposeNode } from './op.js';

export const composeTranspose: ComposeNode = (composition, node) => {
  const source = node.input(0);
  const rank = staticDims(source).length;
  const lead = composition.dims(source).length - rank;
  const perm = node.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const all = [...Array<number>(lead).keys(), ...perm.map((axis) => axis + lead)];
  composition.move(node.output(), source, { type: 'Transpose', inputs: [composition.tensorOf(source)], parameters: [tensorParameter('perm', [all.length], Uint32Array.from(all))] });
};
