/** What makes a unit: its stage, built in or custom, and the modules in which its code begins. */
import type { Lock } from '@tundish/recipe/lock';
import type { CodeDigests } from './code/code-digests.js';
import { stageModules } from './code/stage-code.js';
import { customModulePath } from './custom/module-path.js';
import { customModules, userModules } from './custom/stage-modules.js';
import { stageError } from './errors.js';
import { customStageOf, isBuiltIn, unitName, type Unit } from './plan.js';
import { stageOf } from './registry.js';
import type { Adapters, Stage } from './stage.js';

export interface UnitStage {
  readonly modules: readonly URL[];
  /** Loads the stage; not needed for a hit. */
  load(): Promise<Stage<unknown>>;
}

export interface UnitStageRequest {
  readonly custom: Lock['custom'];
  /** The toolchain that the lock names. */
  readonly toolchainName: string;
  /** Folder of the model project. */
  readonly root: string;
  readonly adapters: Adapters;
  readonly code: CodeDigests;
}

/** @throws STAGE_SUBJECT_UNKNOWN, STAGE_CUSTOM_MISSING, STAGE_CUSTOM_CHANGED, STAGE_CODE */
export async function unitStage(unit: Unit, { custom: entries, toolchainName, root, adapters, code }: UnitStageRequest): Promise<UnitStage> {
  const { stage } = unit;
  if (isBuiltIn(stage)) return { modules: stageModules(stage, toolchainName, adapters), load: () => stageOf(stage) };
  const custom = customStageOf({ custom: entries }, stage);
  if (custom === undefined) throw stageError('STAGE_SUBJECT_UNKNOWN', { what: `${unitName(unit)} is not in the lock file` });
  const path = await customModulePath(custom.use, root);
  if ((await code.digest(userModules(path), 'named')) !== custom.code) throw changed(stage, path);
  return {
    modules: customModules(path),
    load: async () => {
      const [{ loadCustomStage }, { pipelineStage }] = await Promise.all([import('./custom/load-stage.js'), import('./custom/stage.js')]);
      const loaded = await loadCustomStage(path);
      if (loaded.name !== stage) throw changed(stage, path);
      return pipelineStage(loaded, path);
    },
  };
}

function changed(stage: string, path: string): Error {
  return stageError('STAGE_CUSTOM_CHANGED', { what: `the code of ${stage} is not that which the lock file pins`, why: 'its module, or one that it imports, was edited after the lock was written', evidence: { path }, fix: 'write the lock again: npx nx g @tundish/nx:lock' });
}
