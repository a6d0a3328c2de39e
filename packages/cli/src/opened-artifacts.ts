/** Opens the artifacts of a build beside the checkpoint for as long as something is measured. */
import type { Reporter } from '@tundish/diagnostics';
import type { LogitSource } from '@tundish/evaluate';
import type { Pipeline } from '@tundish/stages';
import { type OpenedSource, type SourceOptions, checkpointSource, containerSource, stageSource } from './logit-sources.js';

export interface ArtifactRequest {
  readonly pipeline: Pipeline;
  readonly options: SourceOptions;
  /** Most tokens that are scored at once. */
  readonly tokens: number;
  readonly reporter: Reporter;
}

/** Runs `measure` with the checkpoint and with `load`, `quantize` and the container, and closes all of them. */
export async function withArtifacts<Result>({ pipeline, options, tokens, reporter }: ArtifactRequest, measure: (teacher: LogitSource, students: ReadonlyMap<string, LogitSource>) => Promise<Result>): Promise<Result> {
  const openers: readonly (readonly [string, () => Promise<OpenedSource>])[] = [
    ['load', () => stageSource(pipeline, 'load', tokens, options)],
    ['quantize', () => stageSource(pipeline, 'quantize', tokens, options)],
    ['container', () => containerSource(pipeline, options)],
  ];
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
