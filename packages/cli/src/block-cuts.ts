/** Where a model is cut into the parts that are measured one by one: the embedding, each decoder block, the logits. */
import type { Adaptation } from '@tundish/architectures';
import { type Model, extractGraph } from '@tundish/graph';

/** One part, by the names of the values at its ends. */
export interface BlockCut {
  /** `embedding`, the number of a decoder block, `logits` (final norm and head). */
  readonly block: string;
  /** Residual stream that enters; absent for the embedding, which reads token ids. */
  readonly input?: string;
  /** Residual stream that leaves, or the logits. */
  readonly output: string;
  /** K and V of a decoder block, as they go to the cache. */
  readonly cache?: { readonly key: string; readonly value: string };
}

/** All parts in the order of execution. */
export function blockCuts({ embedding, layers, logits }: Adaptation): BlockCut[] {
  const blocks = layers.map(({ index, hiddenIn, hiddenOut, pastKeyOut, pastValueOut }): BlockCut => ({
    block: String(index), input: hiddenIn, output: hiddenOut, cache: { key: pastKeyOut, value: pastValueOut },
  }));
  return [{ block: 'embedding', output: embedding }, ...blocks, { block: 'logits', input: layers.at(-1)?.hiddenOut ?? embedding, output: logits }];
}

/** The part of `model` as a model of its own; its weights stay byte ranges. */
export function cutModel(model: Model, { input, output, cache }: BlockCut): Model {
  const inputs = model.graph.inputs.map(({ name }) => name);
  return extractGraph(model, input === undefined ? inputs : [...inputs, input], cache === undefined ? [output] : [output, cache.key, cache.value]);
}
