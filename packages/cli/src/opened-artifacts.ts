/** Opens artifacts beside the checkpoint for as long as something is measured. */
import type { Reporter } from '@tundish/diagnostics';
import type { LogitSource } from '@tundish/evaluate';
import type { Lock } from '@tundish/recipe/lock';
import type { Pipeline } from '@tundish/stages';
import { cliError } from './errors.js';
import { CONTAINER_STAGE } from './evaluated-stages.js';
import { type OpenedSource, type SourceOptions, checkpointSource, containerSource, executableSource, stageSource } from './logit-sources.js';
import type { Place } from './places.js';

/** How an artifact is opened, by the name that its result gets. */
export type Openers = ReadonlyMap<string, () => Promise<OpenedSource>>;

export interface ArtifactRequest {
  /** Of the checkpoint. */
  readonly pipeline: Pipeline;
  readonly students: Openers;
  readonly options: SourceOptions;
  /** Most tokens that are scored at once. */
  readonly tokens: number;
  readonly reporter: Reporter;
}

/** Where the container of a model for a device is measured. */
export interface PlaceOptions {
  /** Of a model for a device: what computes the container. Absent: our simulation, which takes seconds where the emulator takes minutes. */
  readonly on?: Exclude<Place, 'genie'>;
  /** Of a model for several chips: which one the emulator runs; absent: the first. */
  readonly chip?: string;
}

interface OpenersRequest extends Omit<ArtifactRequest, 'students' | 'options'> {
  readonly options: SourceOptions & PlaceOptions;
}

/**
 * The results of `stages`, of `evaluatedStages`; the container under that name, or that of the place where it is measured.
 *
 * @throws CLI_USAGE for a place that the container cannot be measured on
 */
export function stageOpeners({ pipeline, options, tokens, reporter }: OpenersRequest, stages: readonly string[]): Openers {
  const { on = 'host' } = options;
  const isForDevice = pipeline.lock.stages.compile.toolchain.name !== 'host';
  if (!isForDevice) refusePlaces(options, pipeline.lock);
  const container = (): [string, () => Promise<OpenedSource>] => (
    isForDevice ? [`container on ${on}`, () => executableSource({ ...pipeline.location, ...options, on, reporter })] : ['container', () => containerSource(pipeline, options)]
  );
  return new Map(stages.map((stage): [string, () => Promise<OpenedSource>] => (stage === CONTAINER_STAGE ? container() : [stage, () => stageSource(pipeline, stage, tokens, options)])));
}

function refusePlaces({ on, chip }: PlaceOptions, { model }: Lock): void {
  if (chip === undefined && (on === undefined || on === 'host')) return;
  throw cliError('CLI_USAGE', { what: `--${chip === undefined ? 'on' : 'chip'} has no meaning for ${model}`, why: 'it is built for this machine, with toolchain: host', fix: 'remove it' });
}

/** Artifacts that are open at once beside the checkpoint: as many as `evaluate` has unless it is asked for more, so that no other measurement needs more memory. */
const AT_ONCE = 3;

/** Runs `measure` with the checkpoint and the students, three at a time, and closes all of them. @returns the results of all, in their order */
export async function withArtifacts<Result>({ pipeline, students, options, tokens, reporter }: ArtifactRequest, measure: (teacher: LogitSource, students: ReadonlyMap<string, LogitSource>) => Promise<Result[]>): Promise<Result[]> {
  reporter.progress({ work: 'open', label: 'artifacts', done: 0, total: Math.min(AT_ONCE, students.size) + 1 });
  const teacher = await checkpointSource(pipeline, tokens, options);
  try {
    const openers = [...students];
    const results: Result[] = [];
    for (let from = 0; from < openers.length; from += AT_ONCE) {
      // The first group counts the checkpoint too.
      const before = from === 0 ? 1 : 0;
      const group = openers.slice(from, from + AT_ONCE);
      const onOpened = (done: number): void => reporter.progress({ work: 'open', label: 'artifacts', done: before + done, total: before + group.length });
      results.push(...(await withOpened(new Map(group), onOpened, (opened) => measure(teacher, opened))));
    }
    return results;
  } finally {
    await teacher.close();
  }
}

async function withOpened<Result>(openers: Openers, onOpened: (done: number) => void, measure: (opened: ReadonlyMap<string, LogitSource>) => Promise<Result>): Promise<Result> {
  const opened = new Map<string, OpenedSource>();
  try {
    for (const [name, open] of openers) {
      onOpened(opened.size);
      opened.set(name, await open());
    }
    onOpened(opened.size);
    return await measure(opened);
  } finally {
    for (const source of opened.values()) await source.close();
  }
}
