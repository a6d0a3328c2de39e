/** Encodings of activations from a file made elsewhere, by the names of the pipeline's values. */
import { printable } from '@tundish/diagnostics';
import { type Graph, type PerTensorEncoding, type Value, movedInputs } from '@tundish/graph';
import { cacheInput, maskedScores, observedValues } from '../calibration/activations.js';
import { MASK_MARGIN, type Range, representedRange, symmetricCache, unite } from '../calibration/encoding-rules.js';
import type { TensorEncoding } from '../encodings-formats/document.js';
import { middleOf } from '../encodings-formats/offsets.js';
import { isCacheValue } from '../encodings-lint/cache-names.js';
import { quantizeError } from '../errors.js';
import type { Entries } from './entries.js';
import { unsigned } from './given-grid.js';
import type { Counterpart } from './match-activations.js';

export interface GivenActivations {
  readonly encodings: ReadonlyMap<string, PerTensorEncoding>;
  /** Our names to those in the file; what is tied to another value is not listed. */
  readonly taken: ReadonlyMap<string, string>;
  /** Sums of scores and mask whose grid in the file does not hold what they have here; they get that of the rule. */
  readonly refitted: readonly string[];
  /** Values that must be measured. */
  readonly missing: readonly string[];
}

/** @throws QUANTIZE_SOURCE_FORM */
export function givenActivations(graph: Graph, entries: Entries, counterparts: ReadonlyMap<string, readonly Counterpart[]>): GivenActivations {
  const encodings = new Map<string, PerTensorEncoding>();
  const taken = new Map<string, string>();
  for (const [ours, candidates] of counterparts) {
    for (const { name, negated } of candidates) {
      const encoding = entries.of('activation', name);
      if (encoding === undefined) continue;
      const grid = activationGrid(name, encoding, isCacheValue(ours));
      encodings.set(ours, negated ? mirrored(grid) : grid);
      taken.set(ours, name);
      break;
    }
  }
  tieConcats(graph, encodings);
  deriveCaches(graph, encodings);
  const refitted = narrowSums(graph, encodings);
  for (const name of refitted) {
    encodings.delete(name);
    taken.delete(name);
  }
  const missing = observedValues(graph).map(({ name }) => name).filter((name) => !encodings.has(name));
  return { encodings, taken, refitted, missing };
}

function activationGrid(name: string, encoding: TensorEncoding, isCache: boolean): PerTensorEncoding {
  const fits = encoding.kind === 'per-tensor' && [8, 16].includes(encoding.grid.bits) && !(isCache && encoding.zeroPoint !== middleOf(encoding.grid.bits));
  // A zero point in the middle of 16 bits may be chance, and versions 2 do not say what is meant.
  if (fits) return unsigned(encoding, isCache || (encoding.grid.bits === 8 && encoding.zeroPoint === middleOf(8)));
  throw quantizeError('QUANTIZE_SOURCE_FORM', {
    what: `${printable(name)} has ${encoding.kind === 'per-tensor' ? `${encoding.grid.bits} bits, zero point ${encoding.zeroPoint}` : `an encoding that is ${encoding.kind}`}`,
    why: isCache ? 'this pipeline runs a cache of 8 or 16 bits, symmetric' : 'this pipeline runs activations of 8 or 16 bits per tensor',
    fix: 'quantize it in that form where the encodings are made, or write quantize.activations: none to take the weights alone',
  });
}

/** Codes c of x are codes of -x as 2^bits - 1 - c. */
function mirrored(grid: PerTensorEncoding): PerTensorEncoding {
  const largest = grid.dtype === 'uint8' ? 255 : 65_535;
  return { ...grid, zeroPoint: largest - grid.zeroPoint, symmetric: false };
}

/** What a Concat joins has the encoding of the result, and none where the result has none: joining moves codes. */
function tieConcats(graph: Graph, encodings: Map<string, PerTensorEncoding>): void {
  for (const node of graph.nodes) {
    if (node.opType !== 'Concat' || cacheInput(node) !== undefined) continue;
    const joined = encodings.get(node.output().name);
    for (const input of node.inputs) {
      if (input === undefined) continue;
      if (joined === undefined) encodings.delete(input.name);
      else encodings.set(input.name, joined);
    }
  }
}

/** A cache without an encoding of its own has 8 bits over the grids of what it keeps, where all of those are given. */
function deriveCaches(graph: Graph, encodings: Map<string, PerTensorEncoding>): void {
  for (const node of graph.nodes) {
    const past = cacheInput(node)?.name;
    const output = past?.replace(/_in$/, '_out');
    if (past === undefined || output === undefined || encodings.has(output)) continue;
    const range = movedRange(graph.value(output), encodings);
    if (range === undefined) continue;
    const encoding = symmetricCache(range, 8);
    encodings.set(past, encoding).set(output, encoding);
  }
}

/** What the grids of a value or of all that was moved into it represent; undefined where one of them has none. */
function movedRange({ name, producer }: Value, encodings: ReadonlyMap<string, PerTensorEncoding>): Range | undefined {
  const own = encodings.get(name);
  if (own !== undefined) return representedRange(own);
  const sources = (producer === undefined ? undefined : movedInputs(producer)) ?? [];
  const ranges = sources.map((input) => (input === undefined ? undefined : movedRange(input, encodings)));
  return ranges.length === 0 ? undefined : ranges.reduce((all, range) => (all === undefined || range === undefined ? undefined : unite(all, range)));
}

/** The mask that the runtime adds need not be that of the calibration elsewhere, whose grid may cut scores that it had masked. */
function narrowSums(graph: Graph, encodings: ReadonlyMap<string, PerTensorEncoding>): string[] {
  return graph.nodes.flatMap((node) => {
    const [scores, sum] = [encodings.get(maskedScores(node)?.name ?? ''), encodings.get(node.outputs[0]?.name ?? '')];
    if (scores === undefined || sum === undefined) return [];
    const [visible, held, step] = [representedRange(scores), representedRange(sum), scores.scale + sum.scale];
    return held.min <= Math.min(visible.min - MASK_MARGIN, 0) + step && held.max >= visible.max - step ? [] : [node.output().name];
  });
}
