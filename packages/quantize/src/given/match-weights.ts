/** Which stored weight of an ONNX file is which parameter of the pipeline: by names that a person gave, by its own, by its module. */
import { printable } from '@tundish/diagnostics';
import type { Graph } from '@tundish/graph';
import { quantizeError } from '../errors.js';
import { likeness } from './names.js';
import { type StoredWeight, isLinearWeight, namesOf, storedWeights } from './stored-weights.js';

/** A parameter by its name; biases too. */
export interface Wanted {
  readonly name: string;
  readonly kind: 'projection' | 'head' | 'embedding' | 'gain' | 'bias';
}

/**
 * @param names theirs to ours
 * @returns by `kind name`
 * @throws QUANTIZE_SOURCE_WEIGHT when the file lacks a parameter, or multiplies with a weight that is none; QUANTIZE_SOURCE_NAMES
 */
export function matchWeights(wanted: readonly Wanted[], graph: Graph, names: ReadonlyMap<string, string>): ReadonlyMap<string, StoredWeight> {
  const stored = storedWeights(graph);
  const found = new Map<string, StoredWeight>();
  for (const parameter of wanted) found.set(wantedKey(parameter), bestOf(parameter, stored.filter((candidate) => fits(parameter, candidate)), names));
  const claimed = new Set([...found.values()].map(({ value }) => value));
  const unknown = stored.find((candidate) => isLinearWeight(candidate) && !claimed.has(candidate.value));
  if (unknown === undefined) return found;
  throw quantizeError('QUANTIZE_SOURCE_WEIGHT', {
    what: `${printable(unknown.reader.name)} of the ONNX file multiplies with ${printable(unknown.value.name)} [${unknown.value.tensor?.dims}], which is no weight of the model`,
    why: 'the encodings belong to a graph that computes something else: with adapters, heads of their own, or a rotation',
    fix: 'export the whole model, one weight for each of its layers, before it is rewritten for a device',
  });
}

export function wantedKey({ name, kind }: Wanted): string {
  return `${kind} ${name}`;
}

/** What reads it tells apart the two uses of a tied table, and a gain from a bias. */
function fits({ kind }: Wanted, candidate: StoredWeight): boolean {
  const { opType } = candidate.reader;
  if (kind === 'embedding') return opType === 'Gather';
  if (kind === 'projection' || kind === 'head') return isLinearWeight(candidate);
  const isBias = opType === 'Add' || candidate.index === 2;
  return kind === 'bias' ? isBias : !isBias && opType !== 'Gather' && !isLinearWeight(candidate);
}

function bestOf({ name }: Wanted, candidates: readonly StoredWeight[], names: ReadonlyMap<string, string>): StoredWeight {
  // A name that a person gave comes before all others, and the tensor's own before that of a module.
  const rank = (candidate: StoredWeight): number => {
    const given = names.get(candidate.value.name);
    if (given !== undefined) return given === name ? 10 : 0;
    const [own, module] = namesOf(candidate).map((theirs) => likeness(name, theirs));
    return Math.max(own === undefined || own === 0 ? 0 : own + 4, module ?? 0);
  };
  const ranked = candidates.map((candidate) => ({ candidate, rank: rank(candidate) }));
  const highest = Math.max(0, ...ranked.map((entry) => entry.rank));
  const best = highest === 0 ? [] : ranked.flatMap((entry) => (entry.rank === highest ? [entry.candidate] : []));
  const [first, second] = best;
  if (first === undefined) {
    throw quantizeError('QUANTIZE_SOURCE_WEIGHT', {
      what: `no weight of the ONNX file is ${printable(name)}`,
      why: 'floating-point weights are found by their name, or by that of the module of the node that reads them',
      fix: `write quantize.source.names: { THEIR_NAME: ${printable(name)} }, or leave out quantize.source.onnx to round the weights of the checkpoint`,
    });
  }
  if (second === undefined || second.value === first.value) return first;
  throw quantizeError('QUANTIZE_SOURCE_NAMES', {
    what: `${printable(first.value.name)} and ${printable(second.value.name)} of the ONNX file both go by the name ${printable(name)}`,
    fix: `say which in quantize.source.names: { THEIR_NAME: ${printable(name)} }`,
  });
}
