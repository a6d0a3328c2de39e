/** Finds the decoder layers of a graph by its residual stream, without looking at any internal name. */
import { type Graph, type Model, type Node, type Value, DataType } from '@tundish/graph';
import { transformError } from '../errors.js';

/** One decoder layer between two values of the residual stream, [1, AR, H] each. */
export interface Layer {
  /** The number in `past_key_{index}_in`. */
  readonly index: number;
  readonly input: Value;
  readonly output: Value;
}

/** What carries the state between the entry of a graph and its cache layers. */
const CARRIERS: ReadonlySet<string> = new Set(['Cast', 'Mul', 'DequantizeLinear', 'Identity']);
const CACHE = /^past_(?:key|value)_(\d+)_in$/;

/**
 * Layers in order. The stream starts at the embedding (or at the hidden state that enters) and continues at every Add of
 * the stream itself and something computed from it; biases, masks and rotations are never such Adds. A layer begins at
 * the stream value before the first Add whose other side reads a cache that no earlier one read.
 *
 * @throws SPLIT_NO_STREAM
 */
export function findLayers(model: Model): readonly Layer[] {
  const starts: { readonly index: number; readonly input: Value }[] = [];
  const known = new Set<number>();
  let stream = streamStart(model.graph);
  for (let step = nextAdd(stream); step !== undefined; step = nextAdd(stream)) {
    for (const index of step.caches) {
      if (known.has(index)) continue;
      known.add(index);
      starts.push({ index, input: stream });
    }
    stream = step.sum;
  }
  if (starts.length === 0) {
    throw transformError('SPLIT_NO_STREAM', {
      what: `no layer of graph ${model.graph.name} was found`,
      why: `from ${streamStart(model.graph).name} on, no Add of the residual stream depends on a past_key_{i}_in`,
    });
  }
  return starts.map(({ index, input }, i) => ({ index, input, output: starts[i + 1]?.input ?? stream }));
}

function streamStart(graph: Graph): Value {
  const ids = graph.find('input_ids');
  const gather = ids?.consumers.find((node) => node.opType === 'Gather');
  const state = gather?.output() ?? graph.inputs.find((value) => value.shape?.length === 3 && value.dtype === DataType.FLOAT);
  if (state === undefined) {
    throw transformError('SPLIT_NO_STREAM', { what: `graph ${graph.name} has neither an embedding of input_ids nor a hidden state [1, AR, H] as input` });
  }
  return carried(state);
}

/** The embedding reaches the stream through its dequantization, cast or scale, each the only reader of the one before. */
function carried(value: Value): Value {
  const [reader, ...others] = value.consumers;
  return reader !== undefined && others.length === 0 && CARRIERS.has(reader.opType) ? carried(reader.output()) : value;
}

/** The next sum of the stream, and the caches that its branch reads. */
function nextAdd(stream: Value): { readonly sum: Value; readonly caches: readonly number[] } | undefined {
  for (const node of stream.consumers) {
    if (node.opType !== 'Add') continue;
    const branch = branchOf(node, stream);
    if (branch.readsStream) return { sum: node.output(), caches: branch.caches };
  }
  return undefined;
}

/** Walks back from the other operand of `add`, stopping at the stream. */
function branchOf(add: Node, stream: Value): { readonly readsStream: boolean; readonly caches: readonly number[] } {
  const caches = new Set<number>();
  const seen = new Set<Value>();
  const pending = add.inputs.filter((input) => input !== undefined && input !== stream);
  let readsStream = false;
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (value === stream) readsStream = true;
    if (value === stream || seen.has(value)) continue;
    seen.add(value);
    const cache = CACHE.exec(value.name)?.[1];
    if (cache !== undefined) caches.add(Number(cache));
    for (const input of value.producer?.inputs ?? []) if (input !== undefined) pending.push(input);
  }
  return { readsStream, caches: [...caches].sort((a, b) => a - b) };
}
