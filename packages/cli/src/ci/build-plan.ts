/** The plan of a build over several runners: waves of shards, each a command that works by itself. */
import type { Shard } from './shards.js';
import type { BuiltModel, ModelTask } from './task-graph.js';
import type { TimeBasis } from './task-seconds.js';

export interface PlannedShard {
  /** `w1s0`: wave 1, shard 0. */
  readonly name: string;
  /** Of its tasks one after the other, to a tenth. */
  readonly seconds: number;
  /** Ids of the tasks that are planned here. */
  readonly tasks: readonly string[];
  /** Names of the shards of earlier waves whose results it reads. */
  readonly after: readonly string[];
  /** For a POSIX shell, in the root of the workspace. Whatever is not in the cache yet it builds too. */
  readonly command: string;
}

/** What `--format json` prints. */
export interface BuildPlan {
  readonly schema: 1;
  readonly target: string;
  readonly models: readonly BuiltModel[];
  /** Where the seconds are from. */
  readonly basis: TimeBasis;
  /** Empty when there is nothing to build. */
  readonly waves: readonly (readonly PlannedShard[])[];
}

/** Names and commands for shards. */
export function describeWaves(waves: readonly (readonly Shard[])[]): PlannedShard[][] {
  const makerOf = new Map(waves.flatMap((wave, w) => wave.flatMap(({ tasks }, s) => tasks.map(({ id }) => [id, shardName(w, s)] as const))));
  return waves.map((wave, w) =>
    wave.map(({ tasks, seconds }, s) => {
      const name = shardName(w, s);
      const after = new Set(tasks.flatMap((task) => task.after.map((id) => makerOf.get(id) as string)));
      after.delete(name);
      return { name, seconds: Number(seconds.toFixed(1)), tasks: tasks.map(({ id }) => id).sort(), after: [...after].sort(), command: commandOf(tasks) };
    }),
  );
}

function shardName(wave: number, shard: number): string {
  return `w${wave}s${shard}`;
}

/**
 * Runs the tasks that no other of the shard reads; Nx runs those before them. With their dependencies, which the cache answers:
 * without them (`--excludeTaskDependencies`) a fresh machine would hash manifests that are not there.
 */
function commandOf(tasks: readonly ModelTask[]): string {
  const read = new Set(tasks.flatMap(({ after }) => after));
  const last = tasks.filter(({ id }) => !read.has(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const [only, ...others] = last;
  if (only !== undefined && others.length === 0) return `npx nx run ${quoted(only.id)}`;
  const targets = [...new Set(last.map(({ target }) => target))];
  return targets.map((target) => `npx nx run-many -t ${quoted(target)} -p ${quoted(last.filter((task) => task.target === target).map(({ project }) => project).join(','))}`).join(' && ');
}

/** As one word of a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
