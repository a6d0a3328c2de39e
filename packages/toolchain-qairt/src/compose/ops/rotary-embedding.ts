/** A whole rotary embedding: RotaryEmbedding of x, cosines and sines. The values inside it have no tensors, and no grids. */
import type { RotaryEmbedding } from '@tundish/graph';
import type { Composition } from '../composition.js';
import { flag } from '../parameters.js';

export function composeRotaryEmbedding(composition: Composition, { x, cos, sin, output }: RotaryEmbedding): void {
  const inputs = [x, cos, sin].map((value) => composition.tensorOf(value));
  composition.make(output, { type: 'RotaryEmbedding', inputs, parameters: [flag('interleaved', false)] });
}
