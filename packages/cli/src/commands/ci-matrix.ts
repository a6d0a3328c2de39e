/** ci-matrix: a build over several runners, as waves of shards in the form that a CI system takes. */
import { printable } from '@tundish/diagnostics';
import { findModel } from '@tundish/stages/workspace';
import { type BuildPlan, describeWaves } from '../ci/build-plan.js';
import { argoFormat } from '../ci/formats/argo.js';
import type { PlanFormat, RunnerOptions } from '../ci/formats/format.js';
import { githubFormat } from '../ci/formats/github.js';
import { gitlabFormat } from '../ci/formats/gitlab.js';
import { jsonFormat } from '../ci/formats/json.js';
import { kubernetesFormat } from '../ci/formats/kubernetes.js';
import { type Runners, planShards } from '../ci/shards.js';
import { readTaskGraph } from '../ci/task-graph.js';
import { OTHER_SECONDS, taskSeconds } from '../ci/task-seconds.js';
import { wavesOf } from '../ci/waves.js';
import { cliError } from '../errors.js';
import type { Io } from '../io.js';

/** What of `RunnerOptions` each format has a place for; `image` is required where a pod is all there is. */
const FORMATS = {
  json: { format: jsonFormat, takes: [], needs: [] },
  github: { format: githubFormat, takes: [], needs: [] },
  gitlab: { format: gitlabFormat, takes: ['image', 'setup'], needs: [] },
  kubernetes: { format: kubernetesFormat, takes: ['image', 'setup', 'name'], needs: ['image'] },
  argo: { format: argoFormat, takes: ['image', 'setup', 'name'], needs: ['image'] },
} as const satisfies Record<string, { readonly format: PlanFormat; readonly takes: readonly (keyof RunnerOptions)[]; readonly needs: readonly (keyof RunnerOptions)[] }>;

export type FormatName = keyof typeof FORMATS;

export interface CiMatrixOptions extends RunnerOptions, Runners {
  /** Folders or names; empty for all. */
  readonly models: readonly string[];
  readonly workspaceRoot: string;
  readonly target: string;
  /** Only models that changed since this revision. */
  readonly base?: string;
  readonly format: FormatName;
  readonly signal: AbortSignal;
}

/** What Kubernetes takes for a name (RFC 1123), with room for what comes behind it. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/;

/** @throws CLI_USAGE for an option that the format has no place for, or lacks; CLI_NX, CLI_CI_TARGET, CLI_CI_SIZE, STAGE_MODEL_UNKNOWN */
export async function ciMatrixCommand(options: CiMatrixOptions, io: Io): Promise<void> {
  assertOptionsFit(options);
  const plan = await buildPlan(options);
  if (plan.waves.length === 0) io.err(`no model changed since ${options.base}: nothing to build\n`);
  io.out(FORMATS[options.format].format(plan, options));
}

async function buildPlan({ workspaceRoot, models, target, base, signal, ...runners }: CiMatrixOptions): Promise<BuildPlan> {
  const names = models.map((word) => findModel(workspaceRoot, word).name);
  const graph = await readTaskGraph({ workspaceRoot, target, models: names, signal, ...(base === undefined ? {} : { base }) });
  if (graph.models.length === 0 && base === undefined) {
    throw cliError('CLI_CI_TARGET', { what: `no model has the target ${target}`, evidence: { path: workspaceRoot }, fix: 'name a target that `npx nx show project MODEL` lists' });
  }
  const { basis, seconds } = await taskSeconds(workspaceRoot, graph.models);
  const waves = wavesOf(graph.tasks, ({ id }) => seconds.get(id) ?? OTHER_SECONDS);
  return { schema: 1, target, models: graph.models, basis, waves: describeWaves(planShards(waves, runners)) };
}

function assertOptionsFit(options: CiMatrixOptions): void {
  if (options.name !== undefined && !NAME.test(options.name)) throw cliError('CLI_USAGE', { what: `--name ${printable(options.name)} cannot be the name of a job`, fix: 'use small letters, digits and -, 42 at most' });
  const { takes, needs }: { readonly takes: readonly string[]; readonly needs: readonly string[] } = FORMATS[options.format];
  for (const option of ['image', 'setup', 'name'] as const) {
    const isGiven = options[option] !== undefined;
    if (isGiven && !takes.includes(option)) throw cliError('CLI_USAGE', { what: `--${option} has no place in the format ${options.format}`, fix: 'leave it out' });
    if (!isGiven && needs.includes(option)) throw cliError('CLI_USAGE', { what: `the format ${options.format} needs --${option}`, why: 'a pod starts with nothing else', fix: 'name a container image that holds Node.js and, in its working directory, this workspace with its packages installed' });
  }
}
