/** The encoding of every activation as the compiler gets it: that of calibration, or one that follows from the operator. */
import { printable } from '@tundish/diagnostics';
import { type Graph, type PerTensorEncoding, type Value, activationValues, movedInputs } from '@tundish/graph';
import { composeError } from './errors.js';
import type { FoldedScales } from './fold-scales.js';

const { fround } = Math;

/** Where encodings do not say: Softmax fills [0, 1], Sigmoid comes close to 1. */
const KNOWN: ReadonlyMap<string, PerTensorEncoding> = new Map(
  ([['Softmax', 65_535], ['Sigmoid', 65_536]] as const).map(([op, steps]) => [op, { kind: 'per-tensor', dtype: 'uint16', scale: fround(1 / steps), zeroPoint: 0, symmetric: false }]),
);

/**
 * By value. An operator that moves data hands its encoding on where its output has none.
 *
 * @throws QAIRT_ENCODING_MISSING naming every value without one
 * @throws QAIRT_ENCODING_UNSUPPORTED for caches whose heads have scales of their own
 */
export function activationEncodings(graph: Graph, given: ReadonlyMap<string, PerTensorEncoding>, { factors, products }: FoldedScales): ReadonlyMap<Value, PerTensorEncoding> {
  const encodings = new Map<Value, PerTensorEncoding>();
  const missing: string[] = [];
  for (const value of activationValues(graph)) {
    const encoding = given.get(value.name) ?? impliedEncoding(value, encodings);
    if (encoding === undefined) {
      const { producer } = value;
      if (producer === undefined || !products.has(producer)) missing.push(value.name);
      continue;
    }
    assertWhole(value, encoding);
    const wide = widened(encoding);
    const factor = factors.get(value);
    encodings.set(value, factor === undefined ? wide : { ...wide, scale: fround(wide.scale * factor) });
  }
  if (missing.length > 0) throw uncovered(missing);
  return encodings;
}

function impliedEncoding({ producer }: Value, known: ReadonlyMap<Value, PerTensorEncoding>): PerTensorEncoding | undefined {
  if (producer === undefined) return undefined;
  const source = movedInputs(producer)?.[0];
  return source === undefined ? KNOWN.get(producer.opType) : known.get(source);
}

/** Only a cache stays at 8 bits. Rows of an embedding of 8 bits are the same reals on a grid of 16. */
function widened(encoding: PerTensorEncoding): PerTensorEncoding {
  if (encoding.dtype !== 'uint8' || encoding.symmetric) return encoding;
  return { ...encoding, dtype: 'uint16', scale: encoding.scale / 256, zeroPoint: encoding.zeroPoint * 256 };
}

function assertWhole(value: Value, { headScales }: PerTensorEncoding): void {
  if (headScales === undefined || headScales.every((scale) => scale === headScales[0])) return;
  throw composeError('QAIRT_ENCODING_UNSUPPORTED', {
    what: `the heads of ${printable(value.name)} have scales of their own`,
    why: 'a tensor of activations has one scale for this compiler',
    fix: 'set quantize.kvCache.granularity to tensor',
  });
}

function uncovered(names: readonly string[]): Error {
  const shown = names.slice(0, 20).map((name) => printable(name));
  return composeError('QAIRT_ENCODING_MISSING', {
    what: `${names.length} value${names.length === 1 ? ' has' : 's have'} no encoding: ${shown.join(', ')}${names.length > shown.length ? ', …' : ''}`,
    why: 'this compiler computes on codes, so every value needs a scale and a zero point',
    fix: 'calibrate the graph with these values',
  });
}
