/** Carries encodings from a graph to a transformed one by rule, without a number being measured or computed again. */
import { type Encodings, type Model, type ParameterEncoding, type PerTensorEncoding, activationValues, movedInputs } from '@tundish/graph';
import { transformError } from '../errors.js';
import type { RenameMap } from '../mha2sha/naming.js';
import { shareHeads } from './share-heads.js';
import { shareRows } from './share-rows.js';

export interface CarriedEncodings {
  readonly encodings: Encodings;
  /** Activation values of the graph without an encoding, in graph order; empty for a graph that was quantized whole. */
  readonly uncovered: readonly string[];
}

/**
 * 1. A value that became several hands its encoding to each: per-tensor ones as they are, per-channel and block ones by rows,
 *    scales of heads by heads.
 * 2. What an operator that only moves data gives takes the encoding of what it moves, if it has none and there is one.
 * 3. The cache that enters a layer has the encoding of the cache that leaves it.
 * 4. Entries for values that are not in the graph are dropped.
 *
 * @param renames old value name to new names in head order; names that are not in it stay
 * @throws ENCODINGS_CACHE_UNTIED, ENCODINGS_ROWS, ENCODINGS_HEADS
 */
export function carryEncodings(encodings: Encodings, renames: RenameMap, model: Model): CarriedEncodings {
  const { graph } = model;
  const activations = new Map<string, PerTensorEncoding>();
  for (const [name, encoding] of encodings.activations) {
    const names = renames.get(name) ?? [name];
    for (const renamed of names) if (graph.find(renamed) !== undefined) activations.set(renamed, shareHeads(name, encoding, renamed, names));
  }
  const parameters = new Map<string, ParameterEncoding>();
  for (const [name, encoding] of encodings.parameters) {
    const names = renames.get(name) ?? [name];
    names.forEach((renamed, i) => {
      if (graph.find(renamed) !== undefined) parameters.set(renamed, shareRows(name, encoding, i, names.length));
    });
  }
  tieCaches(model, activations);
  const values = activationValues(graph);
  for (const value of values) {
    const inherited = value.producer === undefined ? undefined : sharedEncoding(movedInputs(value.producer)?.map((input) => (input === undefined ? undefined : activations.get(input.name))));
    if (inherited !== undefined && !activations.has(value.name)) activations.set(value.name, inherited);
  }
  const uncovered = values.filter((value) => !activations.has(value.name)).map((value) => value.name);
  return { encodings: { activations: inGraphOrder(activations, values.map(({ name }) => name)), parameters }, uncovered };
}

/** The entries that occur in one part of a split model; the value at a cut is in both parts, with one encoding. */
export function encodingsOfPart(encodings: Encodings, part: Model): CarriedEncodings {
  return carryEncodings(encodings, new Map(), part);
}

/** One encoding when all agree. */
function sharedEncoding(encodings: readonly (PerTensorEncoding | undefined)[] | undefined): PerTensorEncoding | undefined {
  const [first, ...rest] = encodings ?? [];
  return first !== undefined && rest.every((other) => other !== undefined && isEqual(first, other)) ? first : undefined;
}

function isEqual(a: PerTensorEncoding, b: PerTensorEncoding): boolean {
  return a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint && a.symmetric === b.symmetric && String(a.headScales) === String(b.headScales);
}

function tieCaches({ graph }: Model, activations: Map<string, PerTensorEncoding>): void {
  for (const { name } of graph.inputs) {
    const out = /^past_(key|value)_\d+_in$/.test(name) ? name.replace(/_in$/, '_out') : undefined;
    if (out === undefined || graph.find(out) === undefined) continue;
    const [entering, leaving] = [activations.get(name), activations.get(out)];
    if (entering !== undefined && leaving !== undefined && !isEqual(entering, leaving)) {
      throw transformError('ENCODINGS_CACHE_UNTIED', {
        what: `${name} and ${out} have different encodings`,
        why: 'what leaves one pass enters the next one as the same codes',
        evidence: { detail: `scales ${entering.scale} and ${leaving.scale}, zero points ${entering.zeroPoint} and ${leaving.zeroPoint}` },
      });
    }
    const tied = entering ?? leaving;
    if (tied !== undefined) activations.set(name, tied).set(out, tied);
  }
}

function inGraphOrder(activations: ReadonlyMap<string, PerTensorEncoding>, order: readonly string[]): Map<string, PerTensorEncoding> {
  return new Map(order.flatMap((name) => {
    const encoding = activations.get(name);
    return encoding === undefined ? [] : [[name, encoding] as const];
  }));
}
