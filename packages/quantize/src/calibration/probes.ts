/** What is taken from each window: minimum and maximum of every observed value alone, or the values themselves. */
import { type Model, type Value, cloneModel } from '@tundish/graph';
import type { ActivationObserver } from '@tundish/recipe/calibration';
import type { TensorData } from '@tundish/toolchain';
import { quantizeError } from '../errors.js';
import { rangeObserver } from '../observers/observer.js';
import { observedValues } from './activations.js';
import { type Range, unite } from './encoding-rules.js';

/** A segment with outputs to be observed by. */
export interface Observation {
  readonly model: Model;
  readonly outputs: readonly string[];
  see(results: ReadonlyMap<string, TensorData>): void;
  /** Range of every observed value on the grid of activations, by name. */
  ranges(): Map<string, Range>;
}

/** Minima and maxima are taken in the engine; every other observer needs all of every value, one window at a time. */
export function observation(segment: Model, observer: ActivationObserver): Observation {
  return observer.method === 'minmax' ? extremes(segment) : wholeValues(segment, observer);
}

function wholeValues(segment: Model, observer: ActivationObserver): Observation {
  const model = cloneModel(segment);
  const observers = new Map(observedValues(model.graph).map((value) => {
    if (!model.graph.outputs.includes(value)) model.graph.outputs.push(value);
    return [value.name, rangeObserver(value.name, observer)] as const;
  }));
  return {
    model,
    outputs: [...observers.keys()],
    see: (results) => { for (const [name, seen] of observers) seen.add(results.get(name) as Float32Array); },
    ranges: () => new Map([...observers].map(([name, seen]) => [name, seen.range({ bits: 16, symmetric: false })])),
  };
}

function extremes(segment: Model): Observation {
  const { model, probes } = withProbes(segment);
  const ranges = new Map<string, Range>();
  return {
    model,
    outputs: probes.flatMap(({ min, max, sum }) => [min, max, ...(sum === undefined ? [] : [sum])]),
    see: (results) => {
      for (const probe of probes) {
        const seen = rangeSeen(results, probe);
        const known = ranges.get(probe.value);
        ranges.set(probe.value, known === undefined ? seen : unite(known, seen));
      }
    },
    ranges: () => ranges,
  };
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
