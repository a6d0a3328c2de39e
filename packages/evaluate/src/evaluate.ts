/** Runs a teacher and any number of students over the same windows and measures each student. */
import { evaluatePairs } from './pairs.js';
import { protocolHash } from './protocol.js';
import type { Protocol } from './protocol.js';
import type { Metrics } from './summary.js';

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
  const { teacher, students, ...measured } = request;
  const pairs = [...students].map(([subject, student]) => ({ teacher, student, subject }));
  const results = await evaluatePairs({ ...measured, pairs });
  const hash = protocolHash(request.protocol);
  return pairs.map(({ subject }, index) => ({ subject, protocol: request.protocol, protocolHash: hash, ...(results[index] as Metrics) }));
}
