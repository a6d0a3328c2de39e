/** Everything that the plugin reads from the environment. */
import { availableParallelism } from 'node:os';
import { type BuildWatch, type WatchWords, buildWatch } from '@tundish/cli/summary';
import { watchWordsOf } from '@tundish/cli/environment';
import { isCI } from 'nx/src/utils/is-ci.js';
import { nxError } from './errors.js';

export { cacheRootOf, hubAccess, hubCacheOf, remoteCacheWordsOf } from '@tundish/cli/environment';

/** True where Nx itself believes to run in continuous integration. */
export function inContinuousIntegration(): boolean {
  return Boolean(isCI());
}

/** Threads of numeric work: TUNDISH_THREADS, else all cores. Never changes a result, so it is no option of a target. */
export function threadsOf(): number {
  const asked = Number(process.env['TUNDISH_THREADS']);
  return Number.isInteger(asked) && asked > 0 ? asked : availableParallelism();
}

/** One `nx run`: its id and its start in milliseconds since 1970. */
export interface RunIdentity {
  readonly id: string;
  readonly startedAt: number;
}

/** Gives this run to all tasks of it. */
export function announceRun(run: RunIdentity): void {
  process.env['TUNDISH_RUN'] = `${run.id}@${run.startedAt}`;
}

/**
 * Gives the tasks of this run the streams of Nx itself. Its terminal UI hands over the keyboard only after a key for it is
 * pressed, and its pseudo-terminal never tells a task that a pipe has ended.
 */
export function claimStreams(): void {
  process.env['NX_TUI'] = 'false';
  process.env['NX_NATIVE_COMMAND_RUNNER'] = 'false';
}

const WATCH = 'TUNDISH_RUN_WATCH';

/** Gives all tasks what the command line of this run asks for. Always set: the daemon keeps one process for many runs. */
export function announceWatch(words: WatchWords): void {
  process.env[WATCH] = JSON.stringify(words);
}

/** Of this task: what the command line says, else the environment. @throws CLI_USAGE, NX_EVENTS_STREAM */
export function taskWatch(workspaceRoot: string): BuildWatch {
  const announced = JSON.parse(process.env[WATCH] ?? '{}') as WatchWords;
  const watch = buildWatch({ ...watchWordsOf(), ...announced }, workspaceRoot);
  if (watch.events !== '-') return watch;
  throw nxError('NX_EVENTS_STREAM', { what: 'the events of an Nx run cannot go to a stream', why: 'Nx keeps what a task prints, and prints it again when the task is cached', fix: 'name a file: TUNDISH_EVENTS=FILE' });
}

/** The run that this task belongs to; undefined when the executor was not started by `nx run`. */
export function currentRun(): RunIdentity | undefined {
  const match = /^([\w-]+)@(\d+)$/.exec(process.env['TUNDISH_RUN'] ?? '');
  return match === null ? undefined : { id: match[1] as string, startedAt: Number(match[2]) };
}
