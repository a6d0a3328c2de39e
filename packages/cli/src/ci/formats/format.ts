/** What the formats of a build plan have in common. */
import { cliError } from '../../errors.js';
import type { BuildPlan } from '../build-plan.js';

/** What a person says about the runners, beside the plan. */
export interface RunnerOptions {
  /** Image of a container, with a registry or without. */
  readonly image?: string | undefined;
  /** Command that each runner starts with. */
  readonly setup?: string | undefined;
  /** What names of jobs begin with. */
  readonly name?: string | undefined;
}

/** @returns the text that is printed, with a final newline; empty when there is nothing to build and the format has no word for that */
export type PlanFormat = (plan: BuildPlan, options: RunnerOptions) => string;

/** @param most jobs that a matrix of `system` has @throws CLI_CI_SIZE when a wave has more shards */
export function requireMatrixSize(waves: BuildPlan['waves'], system: string, most: number): void {
  const largest = Math.max(0, ...waves.map((wave) => wave.length));
  if (largest > most) throw cliError('CLI_CI_SIZE', { what: `the plan has ${largest} shards in one wave`, why: `a matrix of ${system} has at most ${most} jobs`, fix: `ask for fewer: --shards ${most}` });
}

/** Lines of a POSIX shell that run the shard whose number a variable holds. */
export function shardCases(variable: string, wave: BuildPlan['waves'][number]): string {
  return [`case "$${variable}" in`, ...wave.map(({ command }, index) => `  ${index}) ${command} ;;`), 'esac', ''].join('\n');
}

/** What a container of Kubernetes has whatever it runs: the shell that stops at the first failure, and the variables of the cache. */
export function shardContainer({ image }: RunnerOptions): { readonly image: string | undefined; readonly command: readonly string[]; readonly env: readonly object[]; readonly envFrom: readonly object[] } {
  return { image, command: ['/bin/sh', '-ec'], env: [{ name: 'CI', value: 'true' }], envFrom: [{ secretRef: { name: 'tundish-cache', optional: true } }] };
}
