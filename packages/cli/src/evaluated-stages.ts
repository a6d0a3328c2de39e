/** Which results of a model can be measured: those with one graph of the whole model, and the container. */
import { printable } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { customStagesAfter } from '@tundish/stages/lock';
import { cliError } from './errors.js';

/** The stage whose result is the container. */
export const CONTAINER_STAGE = 'package';

/** In the order in which they run. */
export function graphStages(lock: Pick<Lock, 'custom'>): string[] {
  return (['load', 'optimize', 'quantize'] as const).flatMap((stage) => [stage, ...customStagesAfter(lock, stage)]);
}

/** The graph that arcl takes: that of quantize, or of the last stage behind it. */
export function lastGraphStage(lock: Pick<Lock, 'custom'>): string {
  return graphStages(lock).at(-1) as string;
}

/** @param asked nothing: the first graph, the last one, and the container @throws CLI_EVALUATE_STAGE */
export function evaluatedStages(lock: Pick<Lock, 'custom'>, asked: readonly string[] | undefined): string[] {
  if (asked === undefined || asked.length === 0) return ['load', lastGraphStage(lock), CONTAINER_STAGE];
  const known = [...graphStages(lock), CONTAINER_STAGE];
  const strange = asked.find((stage) => !known.includes(stage));
  if (strange === undefined) return known.filter((stage) => asked.includes(stage));
  throw cliError('CLI_EVALUATE_STAGE', { what: `the result of ${printable(strange)} cannot be measured`, why: 'it is no stage of this model, or makes no graph of the whole model', fix: `name one of ${known.join(', ')}` });
}
