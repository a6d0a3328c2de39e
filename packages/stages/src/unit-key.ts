/** The key of a unit: everything that decides its result, found without running anything. */
import type { Lock } from '@tundish/recipe/lock';
import { type ActionInputs, type ActionKey, actionKey } from '@tundish/store';
import type { ToolchainIdentity } from '@tundish/toolchain';
import type { CodeDigests } from './code/code-digests.js';
import { keyInputs } from './key-inputs.js';
import type { ModelLayout } from './layout.js';
import { checkPin, identityFor } from './pinned-tool.js';
import { type Unit, roleOf } from './plan.js';
import type { Source } from './source.js';
import type { Adapters, StageInput, StageRequest } from './stage.js';
import { unitOptions } from './unit-options.js';
import { type UnitStage, unitStage } from './unit-stage.js';

/** What the units of a model have in common. */
export interface ModelContext {
  readonly layout: ModelLayout;
  readonly lock: Lock;
  readonly source: Source;
  readonly code: CodeDigests;
  readonly adapters: Adapters;
}

/** A unit with all that it reads. */
export interface KeyedUnit {
  readonly unit: Unit;
  readonly request: StageRequest<unknown>;
  readonly stage: UnitStage;
  readonly keyed: ActionInputs;
  readonly action: ActionKey;
}

/**
 * @param results of the units that it reads, by their names
 * @throws STAGE_SUBJECT_UNKNOWN, STAGE_TOOL_DIFFERS, STAGE_CUSTOM_MISSING, STAGE_CUSTOM_CHANGED, STAGE_CODE
 */
export async function keyedUnit({ layout, lock, source, code, adapters }: ModelContext, unit: Unit, results: ReadonlyMap<string, StageInput>): Promise<KeyedUnit> {
  const inputs = new Map([...results].map(([name, input]) => [roleOf(lock, name), input]));
  const request: StageRequest<unknown> = { options: unitOptions(lock, unit), subject: unit.subject, inputs, source: source.files, toolchain: await pinnedToolchain(unit, layout, lock, adapters) };
  const stage = await unitStage(unit, { custom: lock.custom, toolchainName: lock.stages.convert.toolchain.name, root: layout.root, adapters, code });
  const keyed = await keyInputs(unit.stage, request, { adapters, code, modules: stage.modules });
  return { unit, request, stage, keyed, action: actionKey(keyed) };
}

/** The installed toolchain, which must be the pinned one, for stages that use it. */
async function pinnedToolchain({ stage }: Unit, layout: ModelLayout, lock: Lock, adapters: Adapters): Promise<ToolchainIdentity | undefined> {
  if (stage !== 'convert' && stage !== 'compile') return undefined;
  const pin = lock.stages[stage].toolchain;
  const identity = await identityFor(adapters.toolchain(pin.name), pin);
  const differs = checkPin(layout, pin, identity);
  if (differs !== undefined) throw differs;
  return identity;
}
