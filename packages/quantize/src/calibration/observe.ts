/** Runs one segment of a model (the embedding, a decoder block, the head) over all calibration windows and records ranges. */
import type { Reporter } from '@tundish/diagnostics';
import type { Encodings, Model, Value } from '@tundish/graph';
import type { ActivationObserver, CachePrecision } from '@tundish/recipe/calibration';
import type { FileResolver, ReferenceExecutor, TensorData } from '@tundish/toolchain';
import { type RangeObserver, rangeObserver } from '../observers/observer.js';
import { isCacheOutput } from '../encodings-lint/cache-names.js';
import type { Range } from './encoding-rules.js';
import { observation } from './probes.js';

export interface ObserveRequest {
  readonly segment: Model;
  readonly executor: ReferenceExecutor;
  readonly observer: ActivationObserver;
  readonly cacheGranularity: CachePrecision['granularity'];
  /** Encodings of the quantized weights of the segment. */
  readonly parameters?: Encodings['parameters'];
  readonly resolve: FileResolver;
  readonly threads: number;
  /** Inputs of the segment for window `index`. */
  readonly feeds: (index: number) => ReadonlyMap<string, TensorData>;
  readonly windows: number;
  /** Value whose data the next segment reads; absent for the last. */
  readonly output?: string;
  /** Hears of it window by window, in order. */
  readonly onOutput?: (data: Float32Array) => void;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

/** What all windows together gave. */
export interface Observed {
  /** Of every observed value, on the grid of activations. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** By the name of the cache value that leaves the segment: one for all heads, or one for each. */
  readonly caches: ReadonlyMap<string, readonly RangeObserver[]>;
}

/** @throws QUANTIZE_RANGE_NOT_FINITE where the observer keeps a histogram */
export async function observeSegment(request: ObserveRequest): Promise<Observed> {
  const { model, outputs, see, ranges } = observation(request.segment, request.observer);
  const newCaches = model.graph.values.filter(({ name }) => isCacheOutput(name));
  model.graph.outputs.push(...newCaches.filter((value) => !model.graph.outputs.includes(value)));
  const caches = new Map(newCaches.map((value) => [value.name, cacheObservers(value, request)]));
  const names = [...new Set([...outputs, ...caches.keys(), ...(request.output === undefined ? [] : [request.output])])];
  const opened = await request.executor.open({ model, resolve: request.resolve, threads: request.threads, ...(request.parameters === undefined ? {} : { parameters: request.parameters }) });
  try {
    for (let index = 0; index < request.windows; index++) {
      request.signal.throwIfAborted();
      const results = await opened.run(request.feeds(index), names);
      see(results);
      for (const [name, heads] of caches) observeHeads(heads, results.get(name) as Float32Array);
      if (request.output !== undefined) request.onOutput?.(results.get(request.output) as Float32Array);
    }
  } finally {
    await opened.close();
  }
  return { ranges: ranges(), caches };
}

/** Heads are the first axis of a cache value. */
function cacheObservers({ name, shape }: Value, { observer, cacheGranularity }: ObserveRequest): readonly RangeObserver[] {
  const heads = cacheGranularity === 'head' ? Number(shape?.[0]) : 1;
  return Array.from({ length: heads }, () => rangeObserver(name, observer));
}

function observeHeads(heads: readonly RangeObserver[], data: Float32Array): void {
  const size = data.length / heads.length;
  heads.forEach((head, i) => head.add(data.subarray(i * size, (i + 1) * size)));
}
