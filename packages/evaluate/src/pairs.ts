/** Holds sources of logits against each other, any of them against any other, each executed once. */
import { RowComparer } from './compare.js';
import { evaluateError } from './errors.js';
import type { LogitSource } from './evaluate.js';
import type { Protocol } from './protocol.js';
import { type Metrics, Summary } from './summary.js';
import { checkShape } from './windows.js';

/** Divergence is from the teacher to the student. `subject` names the student in messages. */
export interface Pair {
  readonly subject: string;
  readonly teacher: LogitSource;
  readonly student: LogitSource;
}

export interface PairsRequest {
  readonly protocol: Protocol;
  /** Windows as `windowsOf` cuts them; a last one may be shorter. */
  readonly windows: readonly Int32Array[];
  readonly pairs: readonly Pair[];
  readonly signal?: AbortSignal;
  readonly onWindow?: (done: number, total: number) => void;
}

/**
 * No more than one block of rows of each source is held.
 *
 * @returns one result a pair, in the order of the request
 * @throws TundishError EVALUATE_*; the reason of `signal` when it is aborted between two windows
 */
export async function evaluatePairs({ protocol, windows, pairs, signal, onWindow }: PairsRequest): Promise<Metrics[]> {
  checkShape(protocol);
  checkWidths(pairs);
  const sources = [...new Set(pairs.flatMap(({ teacher, student }) => [teacher, student]))];
  const comparers = new Map(pairs.map(({ teacher }) => [teacher, new RowComparer(teacher.vocabularySize)]));
  const measured = pairs.map((pair) => ({ ...pair, summary: new Summary() }));
  for (const [done, window] of windows.entries()) {
    signal?.throwIfAborted();
    await measureWindow(protocol, window, { sources, comparers, measured });
    for (const { summary } of measured) summary.endWindow();
    onWindow?.(done + 1, windows.length);
  }
  return measured.map(({ summary }) => summary.metrics(protocol.mean));
}

interface Measurement {
  readonly sources: readonly LogitSource[];
  readonly comparers: ReadonlyMap<LogitSource, RowComparer>;
  readonly measured: readonly (Pair & { readonly summary: Summary })[];
}

async function measureWindow(protocol: Protocol, window: Int32Array, { sources, comparers, measured }: Measurement): Promise<void> {
  const { first } = protocol.scored;
  const last = Math.min(protocol.scored.last, window.length - 1);
  const tokens = window.subarray(0, last);
  const opened = new Map(sources.map((source) => [source, rowsOf(source, tokens)]));
  try {
    for (let target = 1; target <= last; target++) {
      const rows = new Map<LogitSource, Float32Array>();
      for (const [source, generator] of opened) rows.set(source, await nextRow(generator, target));
      if (target < first) continue;
      for (const [teacher, comparer] of comparers) comparer.setTeacher(rows.get(teacher) as Float32Array);
      for (const { teacher, student, summary } of measured) summary.add((comparers.get(teacher) as RowComparer).compare(rows.get(student) as Float32Array, window[target] as number));
    }
  } finally {
    for (const generator of opened.values()) await generator.return(undefined);
  }
}

async function* rowsOf(source: LogitSource, tokens: Int32Array): AsyncGenerator<Float32Array, undefined> {
  const width = source.vocabularySize;
  for await (const block of source.score(tokens)) {
    if (block.length % width !== 0) {
      throw evaluateError('EVALUATE_ROWS_MISMATCH', { what: `a block of ${block.length} logits is no multiple of the vocabulary of ${width}` });
    }
    for (let start = 0; start < block.length; start += width) yield block.subarray(start, start + width);
  }
  return undefined;
}

async function nextRow(rows: AsyncGenerator<Float32Array, undefined>, target: number): Promise<Float32Array> {
  const next = await rows.next();
  if (next.value !== undefined) return next.value;
  throw evaluateError('EVALUATE_ROWS_MISMATCH', { what: `a source of logits ended before the row that predicts position ${target}` });
}

function checkWidths(pairs: readonly Pair[]): void {
  for (const { subject, teacher, student } of pairs) {
    if (student.vocabularySize === teacher.vocabularySize) continue;
    throw evaluateError('EVALUATE_ROWS_MISMATCH', { what: `${subject} has a vocabulary of ${student.vocabularySize}, the teacher of ${teacher.vocabularySize}` });
  }
}
