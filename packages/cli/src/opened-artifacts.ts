/** Opens the artifacts of a build beside the checkpoint for as long as something is measured. */
import type { Reporter } from '@tundish/diagnostics';
import type { LogitSource } from '@tundish/evaluate';
import type { Pipeline } from '@tundish/stages';
import { CONTAINER_STAGE } from './evaluated-stages.js';
import { type OpenedSource, type SourceOptions, checkpointSource, containerSource, stageSource } from './logit-sources.js';

export interface ArtifactRequest {
  readonly pipeline: Pipeline;
  /** Of `evaluatedStages`. */
  readonly stages: readonly string[];
  readonly options: SourceOptions;
  /** Most tokens that are scored at once. */
  readonly tokens: number;
  readonly reporter: Reporter;
}

/** Runs `measure` with the checkpoint and with the results of `stages`, and closes all of them. */
export async function withArtifacts<Result>({ pipeline, stages, options, tokens, reporter }: ArtifactRequest, measure: (teacher: LogitSource, students: ReadonlyMap<string, LogitSource>) => Promise<Result>): Promise<Result> {
  const openers = stages.map((stage): readonly [string, () => Promise<OpenedSource>] => (
    stage === CONTAINER_STAGE ? ['container', () => containerSource(pipeline, options)] : [stage, () => stageSource(pipeline, stage, tokens, options)]
  ));
  const onOpened = (done: number): void => reporter.progress({ work: 'open', label: 'artifacts', done, total: openers.length + 1 });
  onOpened(0);
  const teacher = await checkpointSource(pipeline, tokens, options);
  const opened: OpenedSource[] = [teacher];
  try {
    const students = new Map<string, LogitSource>();
    for (const [name, open] of openers) {
      onOpened(opened.length);
      const source = await open();
      opened.push(source);
      students.set(name, source);
    }
    onOpened(opened.length);
    return await measure(teacher, students);
  } finally {
    for (const source of opened) await source.close();
  }
}
