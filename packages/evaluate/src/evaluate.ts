/** Runs a teacher and any number of students over the same windows and measures each student. */
import { RowComparer } from './compare.js';
import { evaluateError } from './errors.js';
import { protocolHash } from './protocol.js';
import type { Protocol } from './protocol.js';
import { Summary } from './summary.js';
import type { Metrics } from './summary.js';
import { checkShape } from './windows.js';

/** Anything that gives logits: the engine over a container, a reference executor over a graph. */
export interface LogitSource {
  readonly vocabularySize: number;
  /**
   * Logits of every given token, in order, from an empty cache: float32 arrays of one or more whole rows [rows, V].
   * A returned array stays valid until the next one is asked for.
   */
  score(tokens: Int32Array): AsyncIterable<Float32Array>;
}

/** The numbers of one student under one protocol. */
export interface EvaluationResult extends Metrics {
  readonly subject: string;
  readonly protocol: Protocol;
  readonly protocolHash: string;
}

export interface EvaluationRequest {
  readonly protocol: Protocol;
  /** Windows as `windowsOf` cuts them; a last one may be shorter. */
  readonly windows: readonly Int32Array[];
  readonly teacher: LogitSource;
  readonly students: ReadonlyMap<string, LogitSource>;
  readonly signal?: AbortSignal;
  readonly onWindow?: (done: number, total: number) => void;
}

/**
 * Measures all students in one pass: the teacher is executed once per window, and no more than one block of rows of each
 * source is held.
 *
 * @returns one result per student, in the order of the request
 * @throws TundishError EVALUATE_*; the reason of `signal` when it is aborted between two windows
 */
export async function evaluate(request: EvaluationRequest): Promise<EvaluationResult[]> {
  const { protocol, windows, teacher, students } = request;
  checkShape(protocol);
  checkWidths(teacher, students);
  const comparer = new RowComparer(teacher.vocabularySize);
  const summaries = [...students.keys()].map(() => new Summary());
  for (const [done, window] of windows.entries()) {
    request.signal?.throwIfAborted();
    await measureWindow(protocol, window, comparer, teacher, [...students.values()], summaries);
    for (const summary of summaries) summary.endWindow();
    request.onWindow?.(done + 1, windows.length);
  }
  const hash = protocolHash(protocol);
  return [...students.keys()].map((subject, index) => ({
    subject, protocol, protocolHash: hash, ...(summaries[index] as Summary).metrics(protocol.mean),
  }));
}

async function measureWindow(
  protocol: Protocol, window: Int32Array, comparer: RowComparer, teacher: LogitSource, students: readonly LogitSource[], summaries: readonly Summary[],
): Promise<void> {
  const { first } = protocol.scored;
  const last = Math.min(protocol.scored.last, window.length - 1);
  const tokens = window.subarray(0, last);
  const teacherRows = rowsOf(teacher, tokens);
  const studentRows = students.map((student) => rowsOf(student, tokens));
  try {
    for (let target = 1; target <= last; target++) {
      const row = await nextRow(teacherRows, target);
      const rows: Float32Array[] = [];
      for (const source of studentRows) rows.push(await nextRow(source, target));
      if (target < first) continue;
      comparer.setTeacher(row);
      for (const [index, student] of rows.entries()) summaries[index]?.add(comparer.compare(student, window[target] as number));
    }
  } finally {
    for (const source of [teacherRows, ...studentRows]) await source.return(undefined);
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

function checkWidths(teacher: LogitSource, students: ReadonlyMap<string, LogitSource>): void {
  for (const [name, student] of students) {
    if (student.vocabularySize === teacher.vocabularySize) continue;
    throw evaluateError('EVALUATE_ROWS_MISMATCH', { what: `${name} has a vocabulary of ${student.vocabularySize}, the teacher of ${teacher.vocabularySize}` });
  }
}
