/** The shapes that a graph must have once its mask says how many tokens and positions it takes. */
import { printable } from '@tundish/diagnostics';
import type { BundleTensor } from '../bundle.js';
import { ATTENTION_MASK, INPUT_IDS, LOGITS, ROPE_COS, ROPE_SIN } from '../tensor-names.js';
import type { CacheTensor, PlacedGraph } from './view.js';
import { input, output } from './view.js';

/** One sentence for each tensor whose shape does not fit. Sizes of 1 in front are free. */
export function* shapeBreaches(graph: PlacedGraph): Iterable<string> {
  const { ar, cl, cache } = graph;
  if (ar === undefined) return;
  const [key] = cache.filter(({ kind }) => kind === 'key');
  const [heads, headDim] = [key?.shape.at(0), key?.shape.at(-2)];
  if (cl !== undefined && ar >= cl) yield `${printable(graph.name)} takes ${ar} tokens a pass and has only ${cl} positions`;
  yield* ends(graph, input(graph, ATTENTION_MASK), [ar, cl]);
  yield* ends(graph, input(graph, INPUT_IDS), [ar]);
  yield* ends(graph, input(graph, ROPE_COS), [ar, undefined]);
  yield* ends(graph, input(graph, ROPE_SIN), [ar, input(graph, ROPE_COS)?.shape.at(-1)]);
  yield* ends(graph, output(graph, LOGITS), [ar, undefined]);
  for (const tensor of cache) yield* ends(graph, tensor, cacheShape(tensor, heads, headDim, tensor.end === 'out' ? ar : cl === undefined ? undefined : cl - ar));
}

function cacheShape(tensor: CacheTensor, heads: number | undefined, headDim: number | undefined, length: number | undefined): (number | undefined)[] {
  return tensor.kind === 'key' ? [heads, 1, headDim, length] : [heads, 1, length, headDim];
}

/** The last dimensions are as expected (undefined is any), those in front of them 1. */
function* ends(graph: PlacedGraph, tensor: BundleTensor | undefined, expected: readonly (number | undefined)[]): Iterable<string> {
  if (tensor === undefined) return;
  const front = tensor.shape.slice(0, Math.max(0, tensor.shape.length - expected.length));
  const last = tensor.shape.slice(front.length);
  const fits = last.length === expected.length && front.every((size) => size === 1) && last.every((size, axis) => expected[axis] === undefined || expected[axis] === size);
  if (!fits) yield `${printable(tensor.name)} of ${printable(graph.name)} is [${tensor.shape.join(', ')}] where [${expected.map((size) => size ?? '…').join(', ')}] belongs`;
}
