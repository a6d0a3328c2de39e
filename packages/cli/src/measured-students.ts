/** Measures artifacts against the checkpoint over the windows of a protocol, and says in one line what was measured. */
import { type EvaluationResult, type Protocol, evaluate } from '@tundish/evaluate';
import { type ArtifactRequest, withArtifacts } from './opened-artifacts.js';

export interface MeasurementRequest extends ArtifactRequest {
  readonly protocol: Protocol;
  readonly windows: readonly Int32Array[];
}

/** One result for each student, in their order. */
export function measureStudents({ protocol, windows, ...artifacts }: MeasurementRequest): Promise<EvaluationResult[]> {
  const { reporter, options: { signal } } = artifacts;
  return withArtifacts(artifacts, (teacher, students) => {
    const onWindow = (done: number, total: number): void => reporter.progress({ work: 'evaluate', label: 'windows', done, total });
    onWindow(0, windows.length);
    return evaluate({ protocol, windows, teacher, students, signal, onWindow });
  });
}

/** The line below a table. */
export function describeMeasurement([first]: readonly EvaluationResult[]): string {
  if (first === undefined) return '';
  const { protocol } = first;
  return `${protocol.windows} windows of ${protocol.windowLength} tokens, ${first.positions} tokens scored; checkpoint perplexity ${first.teacherPerplexity.toFixed(4)}; KL in nats; protocol ${protocol.name} ${first.protocolHash.slice(0, 12)}`;
}
