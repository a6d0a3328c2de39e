/** Bytes of weights that each layer, the embedding and the head of a graph read. */
import { type Model, type Value, byteLength } from '@tundish/graph';
import type { Layer } from './find-layers.js';
import type { PartWeights } from './plan-parts.js';

/** A tensor that several of them read (a tied table) counts in each: on a device it is in each of their parts. */
export function measureWeights(model: Model, layers: readonly Layer[]): PartWeights {
  const first = layers[0]?.input;
  const last = layers[layers.length - 1]?.output;
  return {
    embedding: first === undefined ? 0 : bytesBetween(undefined, [first]),
    layers: layers.map(({ input, output }) => bytesBetween(input, [output])),
    head: last === undefined ? 0 : bytesBetween(last, model.graph.outputs.filter((output) => !/^past_/.test(output.name))),
  };
}

function bytesBetween(from: Value | undefined, to: readonly Value[]): number {
  const seen = new Set<Value>();
  const pending = [...to];
  let bytes = 0;
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (value === from || seen.has(value)) continue;
    seen.add(value);
    if (value.tensor !== undefined) bytes += byteLength(value.tensor.dtype, value.tensor.dims);
    for (const input of value.producer?.inputs ?? []) if (input !== undefined) pending.push(input);
  }
  return bytes;
}
