/** Runs one segment of a model (the embedding, a decoder block, the head) over all calibration windows and records ranges. */
import type { Reporter } from '@tundish/diagnostics';
import { type Encodings, type Model, type Value, cloneModel } from '@tundish/graph';
import type { FileResolver, ReferenceExecutor, TensorData } from '@tundish/toolchain';
import { quantizeError } from '../errors.js';
import { observedValues } from './activations.js';
import type { Range } from './encoding-rules.js';

export interface ObserveRequest {
  readonly segment: Model;
  readonly executor: ReferenceExecutor;
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

/** Ranges of every observed value of the segment, over all windows. */
export async function observeSegment(request: ObserveRequest): Promise<Map<string, Range>> {
  const { model, probes } = withProbes(request.segment);
  const names = [...probes.flatMap(({ min, max, sum }) => [min, max, ...(sum === undefined ? [] : [sum])]), ...(request.output === undefined ? [] : [request.output])];
  const ranges = new Map<string, Range>();
  const opened = await request.executor.open({ model, resolve: request.resolve, threads: request.threads, ...(request.parameters === undefined ? {} : { parameters: request.parameters }) });
  try {
    for (let index = 0; index < request.windows; index++) {
      request.signal.throwIfAborted();
      const results = await opened.run(request.feeds(index), names);
      for (const probe of probes) {
        const seen = rangeSeen(results, probe);
        const known = ranges.get(probe.value);
        ranges.set(probe.value, known === undefined ? seen : { min: Math.min(known.min, seen.min), max: Math.max(known.max, seen.max) });
      }
      if (request.output !== undefined) request.onOutput?.(results.get(request.output) as Float32Array);
    }
  } finally {
    await opened.close();
  }
  return ranges;
}

interface Probe {
  readonly value: string;
  readonly min: string;
  readonly max: string;
  /** Of the segment's outputs: NaN when any element is. Minimum and maximum pass over NaN, but a NaN anywhere gets this far. */
  readonly sum: string | undefined;
}

/** The segment with a minimum and a maximum of every observed value, so that only scalars leave the engine. */
function withProbes(segment: Model): { model: Model; probes: Probe[] } {
  const model = cloneModel(segment);
  const probes = observedValues(model.graph).map((value) => {
    const isOutput = segment.graph.outputs.some(({ name }) => name === value.name);
    const probe = { value: value.name, min: `${value.name}/min`, max: `${value.name}/max`, sum: isOutput ? `${value.name}/sum` : undefined };
    addReduction(value, 'ReduceMin', probe.min);
    addReduction(value, 'ReduceMax', probe.max);
    if (probe.sum !== undefined) addReduction(value, 'ReduceSum', probe.sum);
    return probe;
  });
  return { model, probes };
}

function addReduction(value: Value, opType: 'ReduceMin' | 'ReduceMax' | 'ReduceSum', output: string): void {
  const node = value.graph.addNode({ opType, name: output, inputs: [value], outputs: [output], attributes: { keepdims: { type: 'int', value: 0 } } });
  node.output().dtype = value.dtype;
  node.output().shape = [];
  value.graph.outputs.push(node.output());
}

function rangeSeen(results: ReadonlyMap<string, TensorData>, probe: Probe): Range {
  if (probe.sum !== undefined && Number.isNaN(scalar(results, probe.sum))) return { min: NaN, max: NaN };
  return { min: scalar(results, probe.min), max: scalar(results, probe.max) };
}

function scalar(results: ReadonlyMap<string, TensorData>, name: string): number {
  const value = results.get(name)?.[0];
  if (value === undefined) throw quantizeError('QUANTIZE_RANGE_NOT_FINITE', { what: `the executor returned no ${name}` });
  return value;
}
