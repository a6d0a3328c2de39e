/** Builds inferred targets: executor, exact inputs, outputs and what they depend on. */
import type { TargetConfiguration, TargetDependencyConfig } from '@nx/devkit';
import { sep } from 'node:path';
import { DESCRIPTIONS, customStageOf, inputsOf, isBuiltIn, modelLayout, placeOf } from '@tundish/stages/lock';
import type { Unit, UnitPlan } from '@tundish/stages/lock';
import { codeVariable } from '../lock/announce-code.js';
import { stateVariable } from '../lock/model-state.js';
import { LOCK_FILE } from '../model-folders.js';
import type { ModelFolder } from '../model-folders.js';
import { lockFieldsOf } from './stage-reads.js';

/** What the plan of a model is made of; both empty when its recipe has never resolved. */
export type Plan = UnitPlan;

/** `llama32` for units of the whole model, `llama32/ar1-cl512-1of2` and `llama32/part1of2` for the others. */
export function projectOf(model: ModelFolder, plan: Plan, { stage, subject }: Unit): string {
  return subject === null || placeOf(plan, stage) === 'arcl' ? model.name : `${model.name}/${subject}`;
}

/** What Nx may know about a target beyond its unit of work. */
export interface TargetTraits {
  /** Says what the subject is, in front of the description of the stage. */
  readonly about?: string;
  /** The target that builds the addon, for a stage that computes with its kernels or asks for its operators. */
  readonly kernels?: TargetDependencyConfig | undefined;
  /** False for a stage that takes the memory of the machine for itself. */
  readonly parallelism?: false;
}

/**
 * A cached target whose hash holds what the unit reads and nothing else.
 *
 * Everything that Nx puts into the hash of all targets of the project (options, outputs, names) is constant here, so that
 * a recipe edit reaches a target through `inputs` only. One field per input: a missing field must not hide another.
 */
export function stageTarget(model: ModelFolder, plan: Plan, unit: Unit, traits: TargetTraits = {}): TargetConfiguration {
  const { stage, subject } = unit;
  const earlier = inputsOf(plan, unit);
  const cells = stage === 'compile' && subject !== null ? (plan.parts[subject]?.cells ?? []) : [];
  return {
    executor: '@tundish/nx:stage',
    cache: true,
    options: { model: model.root, stage, ...(subject === null ? {} : { subject }) },
    inputs: [
      ...lockFieldsOf(stage, subject, cells).map((field) => ({ json: `{workspaceRoot}/${model.root}/${LOCK_FILE}`, fields: [field] })),
      ...earlier.map((input) => ({ dependentTasksOutputFiles: `**/${manifestsOf(model, plan, input)}` })),
      // Says what the lock on disk cannot say: that the recipe has a fault, or that Nx has not seen the lock yet.
      { env: stateVariable(model.root) },
      { env: codeVariable(model.root, stage) },
      ...(traits.kernels === undefined ? [] : [{ dependentTasksOutputFiles: '**/tundish.node' }]),
      // Without it every npm install would re-run the pipeline; the packages that a stage imports are in the digest of its code.
      { externalDependencies: [] },
    ],
    // arcl writes one manifest a pair. Naming the pairs here would put them into the hash of the whole project.
    outputs: [`{workspaceRoot}/${placeOf(plan, stage) === 'arcl' ? `${model.root}/out/${stage}` : manifestPath(model, unit)}`],
    dependsOn: [...dependenciesOn(model, plan, projectOf(model, plan, unit), earlier), ...(traits.kernels === undefined ? [] : [traits.kernels])],
    ...(traits.parallelism === false ? { parallelism: false } : {}),
    metadata: { technologies: ['tundish'], description: traits.about === undefined ? descriptionOf(plan, stage) : `${traits.about}: ${descriptionOf(plan, stage)}` },
  };
}

/** What a target of the stage says of itself in `nx show` and `nx graph`. */
function descriptionOf(plan: Plan, stage: string): string {
  if (isBuiltIn(stage)) return DESCRIPTIONS[stage];
  const { description, use, after } = customStageOf(plan, stage) ?? {};
  return `${description ?? 'A stage of this model.'} (${use}, after ${after})`;
}

/** A target that is never cached: it prints, talks or measures. @param dependsOn by default the finished container */
export function commandTarget(executor: string, model: ModelFolder, target: string, description: string, dependsOn: TargetConfiguration['dependsOn'] = ['package']): TargetConfiguration {
  return {
    executor: `@tundish/nx:${executor}`,
    cache: false,
    options: { model: model.root },
    inputs: [{ externalDependencies: [] }],
    dependsOn,
    metadata: { technologies: ['tundish'], description, help: { command: `npx nx run ${model.name}:${target} --help`, example: {} } },
  };
}

/** stage.json of a unit, relative to the workspace, with forward slashes. */
function manifestPath(model: ModelFolder, { stage, subject }: Unit): string {
  return modelLayout('', model.root).manifest(stage, subject).split(sep).join('/');
}

/** The manifests of a task: of `arcl` and custom stages behind it those of all pairs, unless one is named. */
function manifestsOf(model: ModelFolder, plan: Plan, unit: Unit): string {
  return unit.subject === null && placeOf(plan, unit.stage) === 'arcl' ? `${model.root}/out/${unit.stage}/*/stage.json` : manifestPath(model, unit);
}

/** Nx hashes manifests of direct dependencies only, so every input is one. Tasks of one target in many projects are one entry. */
function dependenciesOn(model: ModelFolder, plan: Plan, ownProject: string, inputs: readonly Unit[]): (string | TargetDependencyConfig)[] {
  const projectsByTarget = new Map<string, Set<string>>();
  for (const input of inputs) projectsByTarget.set(input.stage, (projectsByTarget.get(input.stage) ?? new Set()).add(projectOf(model, plan, input)));
  return [...projectsByTarget].map(([target, projects]) => (projects.has(ownProject) ? target : { projects: [...projects], target }));
}

/**
 * `compile` of a model: depends on `package`, does no work of its own, is never cached, and always prints the summary.
 *
 * @param readFiles globs in the workspace: inputs here and nowhere else, so `nx affected` selects the model and no hash holds them
 */
export function umbrellaTarget(model: ModelFolder, readFiles: readonly string[]): TargetConfiguration {
  return {
    executor: 'nx:run-commands',
    cache: false,
    inputs: [...readFiles.map((path) => `{workspaceRoot}/${path}`), { externalDependencies: [] }],
    dependsOn: ['package'],
    options: { command: `node node_modules/@tundish/nx/dist/run/print-summary.js "${model.root}"` },
    metadata: {
      technologies: ['tundish'],
      description: 'Builds everything, then prints what ran, what was cached, and where the container is.',
      help: { command: `npx nx run ${model.name}:compile --help`, example: {} },
    },
  };
}
