/** Cuts the tasks of a build into waves: what is in one needs results of earlier ones only, and waits for nothing in its own. */
import type { ModelTask } from './task-graph.js';

/** Tasks of one project in one wave: they stay together, since each hands its result to the next. */
export interface ProjectWork {
  readonly project: string;
  readonly tasks: readonly ModelTask[];
  readonly seconds: number;
}

/**
 * The wave of a task is the longest way to it, counted in crossings from one project to another: the stages of a whole model come
 * first, then its cells, its parts, and the model again with its container.
 *
 * @param seconds of a task
 * @returns by wave, each in the order of the names of the projects
 */
export function wavesOf(tasks: readonly ModelTask[], seconds: (task: ModelTask) => number): ProjectWork[][] {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const waves = new Map<string, number>();
  const waveOf = (task: ModelTask): number => {
    const known = waves.get(task.id);
    if (known !== undefined) return known;
    const earlier = task.after.map((id) => byId.get(id) as ModelTask);
    const wave = Math.max(0, ...earlier.map((before) => waveOf(before) + (before.project === task.project ? 0 : 1)));
    waves.set(task.id, wave);
    return wave;
  };
  const works: Map<string, ModelTask[]>[] = [];
  for (const task of tasks) {
    const wave = (works[waveOf(task)] ??= new Map<string, ModelTask[]>());
    wave.set(task.project, [...(wave.get(task.project) ?? []), task]);
  }
  return works.map((wave) => [...wave].map(([project, own]) => ({ project, tasks: own, seconds: own.reduce((sum, task) => sum + seconds(task), 0) })));
}
