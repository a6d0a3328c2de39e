/** Gives every activation of a graph its encoding, from measured ranges and the rules for ties and fixed ranges. */
import { printable } from '@tundish/diagnostics';
import { type Graph, type Node, type PerTensorEncoding, type Value, activationValues, movedInputs } from '@tundish/graph';
import { quantizeError } from '../errors.js';
import { isCacheOutput } from '../encodings-lint/cache-names.js';
import { cacheInput, maskedScores, movedInput } from './activations.js';
import { type Range, asymmetricUint16, maskInput, maskValueFor, requireFinite, scoresWithMask, unite, unitInterval } from './encoding-rules.js';

export interface AssignRequest {
  readonly graph: Graph;
  /** Range of every observed value, by name. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** Encodings of the cache values that leave the graph; those that enter it have the same. */
  readonly caches: ReadonlyMap<string, PerTensorEncoding>;
  /** Factor on cos and sin (yarn); their encodings cover [-factor, factor]. */
  readonly attentionScaling: number;
  /** Encodings known beforehand: the embedding output has that of its table. */
  readonly fixed: ReadonlyMap<string, PerTensorEncoding>;
  /** Encodings that were made elsewhere, for the values that they are of; those that a Concat joins are equal. */
  readonly given?: ReadonlyMap<string, PerTensorEncoding>;
}

export interface Assignment {
  readonly activations: ReadonlyMap<string, PerTensorEncoding>;
  /** Additive value of masked positions that suits all layers. */
  readonly maskValue: number;
}

/**
 * One pass over the graph in topological order.
 *
 * @throws QUANTIZE_RANGE_NOT_FINITE when a value has no finite range: an activation left without an encoding would run
 *   in floating point and the simulation would no longer be the device's
 */
export function assignEncodings(request: AssignRequest): Assignment {
  const { graph } = request;
  const maskValue = maskValueFor(maskAdditions(graph).map(({ scores }) => rangeOf(request, scores)));
  const encodings = new Map<string, PerTensorEncoding>(request.fixed);
  for (const value of activationValues(graph)) {
    if (encodings.has(value.name)) continue;
    encodings.set(value.name, request.given?.get(value.name) ?? encodingOf(request, value, encodings, maskValue));
    tieConcat(request, value, encodings);
  }
  return { activations: encodings, maskValue };
}

function encodingOf(request: AssignRequest, value: Value, known: ReadonlyMap<string, PerTensorEncoding>, maskValue: number): PerTensorEncoding {
  const node = value.producer;
  if (node === undefined) return inputEncoding(request, value, maskValue);
  if (node.opType === 'Softmax' || node.opType === 'Sigmoid') return unitInterval();
  const masked = maskedScores(node);
  if (masked !== undefined) return scoresWithMask(rangeOf(request, masked));
  if (isCacheOutput(value.name)) return cacheEncoding(request, value.name);
  const cache = cacheInput(node);
  const source = cache ?? movedInput(node);
  const inherited = source === undefined ? undefined : known.get(source.name);
  return inherited ?? asymmetricUint16(rangeOf(request, value));
}

function inputEncoding(request: AssignRequest, value: Value, maskValue: number): PerTensorEncoding {
  if (value.name === 'attention_mask') return maskInput(maskValue);
  if (value.name.startsWith('position_ids_')) return asymmetricUint16({ min: -request.attentionScaling, max: request.attentionScaling });
  // The cache that comes in is the cache that went out: both names must carry one encoding.
  return cacheEncoding(request, value.name.replace(/_in$/, '_out'));
}

function cacheEncoding({ caches }: AssignRequest, output: string): PerTensorEncoding {
  const encoding = caches.get(output);
  if (encoding !== undefined) return encoding;
  throw quantizeError('QUANTIZE_RANGE_NOT_FINITE', { what: `no range was measured for ${printable(output)}`, why: 'the calibrated graph does not give this cache' });
}

/** The inputs of a Concat take the encoding of its output, so that joining them moves codes and computes nothing. */
function tieConcat(request: AssignRequest, value: Value, encodings: Map<string, PerTensorEncoding>): void {
  const node = value.producer;
  const encoding = encodings.get(value.name);
  if (node?.opType !== 'Concat' || encoding === undefined || cacheInput(node) !== undefined) return;
  for (const input of node.inputs) if (input !== undefined && !request.fixed.has(input.name)) encodings.set(input.name, encoding);
}

/** Measured range, or that of the data that was moved into the value. */
function rangeOf(request: AssignRequest, value: Value): Range {
  const measured = request.ranges.get(value.name);
  if (measured !== undefined) return requireFinite(value.name, measured);
  const node = value.producer;
  const sources = (node === undefined ? undefined : movedInputs(node)) ?? [];
  const ranges = sources.filter((input) => input !== undefined).map((input) => rangeOf(request, input));
  const [first, ...rest] = ranges;
  if (first === undefined) {
    throw quantizeError('QUANTIZE_RANGE_NOT_FINITE', { what: `no range was measured for ${value.name}`, why: 'it is made by an op that calibration does not observe' });
  }
  return rest.reduce(unite, first);
}

function maskAdditions(graph: Graph): { readonly node: Node; readonly scores: Value }[] {
  return graph.nodes.flatMap((node) => {
    const scores = maskedScores(node);
    return scores === undefined ? [] : [{ node, scores }];
  });
}
