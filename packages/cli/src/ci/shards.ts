/** Spreads the work of each wave over runners, and joins waves where a new start of runners would cost more than it saves. */
import type { ModelTask } from './task-graph.js';
import type { ProjectWork } from './waves.js';

/** What one runner does in one wave. */
export interface Shard {
  /** Of this wave, and of earlier ones that were joined with it. */
  readonly tasks: readonly ModelTask[];
  /** One task after the other. */
  readonly seconds: number;
}

export interface Runners {
  /** At most, in one wave. */
  readonly count: number;
  /** That one needs before it can build: to start, to check out, to install. */
  readonly startSeconds: number;
}

/**
 * A wave is joined with the next where every work of it is read by one shard only, so that no task runs twice, and where one
 * runner doing both is done no later than two that start one after the other.
 */
export function planShards(waves: readonly (readonly ProjectWork[])[], { count, startSeconds }: Runners): Shard[][] {
  return waves.reduceRight<Shard[][]>((later, works) => {
    const wave = balanced(works, count);
    const [next, ...rest] = later;
    const joined = next === undefined ? undefined : joinedWith(works, next);
    if (next === undefined || joined === undefined || longest(joined) > longest(wave) + startSeconds + longest(next)) return [wave, ...later];
    return [joined, ...rest];
  }, []);
}

/** Longest work first, each to the runner that has least; equal ones by name, so that one graph and one set of times give one plan. */
function balanced(works: readonly ProjectWork[], count: number): Shard[] {
  const shards = Array.from({ length: Math.min(count, works.length) }, (): Shard => ({ tasks: [], seconds: 0 }));
  for (const work of [...works].sort((a, b) => b.seconds - a.seconds || (a.project < b.project ? -1 : 1))) {
    const least = shards.reduce((best, { seconds }, index) => (seconds < (shards[best] as Shard).seconds ? index : best), 0);
    shards[least] = withWork(shards[least] as Shard, work);
  }
  return shards;
}

/** The later wave with each work of the earlier one in the shard that reads it; undefined where one is read by several, or by none. */
function joinedWith(works: readonly ProjectWork[], next: readonly Shard[]): Shard[] | undefined {
  const joined = [...next];
  for (const work of works) {
    const made = new Set(work.tasks.map(({ id }) => id));
    const [reader, ...others] = next.flatMap(({ tasks }, index) => (tasks.some(({ after }) => after.some((id) => made.has(id))) ? [index] : []));
    if (reader === undefined || others.length > 0) return undefined;
    joined[reader] = withWork(joined[reader] as Shard, work);
  }
  return joined;
}

function withWork({ tasks, seconds }: Shard, work: ProjectWork): Shard {
  return { tasks: [...tasks, ...work.tasks], seconds: seconds + work.seconds };
}

function longest(wave: readonly Shard[]): number {
  return Math.max(...wave.map(({ seconds }) => seconds));
}
