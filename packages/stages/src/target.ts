/** `MODEL[/SUBJECT]:STAGE`, as Nx writes tasks: which units of a model a person means. */
import { printable } from '@tundish/diagnostics';
import type { Lock, StageName } from '@tundish/recipe/lock';
import { stageError } from './errors.js';
import { type FoundModel, findModel, findModels } from './find-models.js';
import { type Unit, unitName, unitsOf } from './plan.js';

/** A word of the form of a target, not yet looked up. */
export interface Target {
  readonly model: FoundModel;
  readonly stage: string;
  readonly subject: string | undefined;
}

/**
 * Takes a target apart: `llama32:quantize`, `llama32/ar1-cl512-1of2:convert`, `models/llama32:load`.
 *
 * @throws STAGE_TARGET when there is no colon, STAGE_MODEL_UNKNOWN
 */
export function parseTarget(workspaceRoot: string, word: string): Target {
  const [, project, stage] = /^(.+):([\w-]+)$/.exec(word) ?? [];
  if (project === undefined || stage === undefined) {
    throw stageError('STAGE_TARGET', { what: `${printable(word)} is not a target`, why: 'a target is MODEL:STAGE or MODEL/SUBJECT:STAGE', fix: 'write for example llama32:quantize or llama32/ar1-cl512-1of2:convert' });
  }
  const slash = project.lastIndexOf('/');
  const owner = slash === -1 ? undefined : findModels(workspaceRoot).find(({ name, root }) => name === project.slice(0, slash) || root === project.slice(0, slash));
  if (owner !== undefined) return { model: owner, stage, subject: project.slice(slash + 1) };
  return { model: findModel(workspaceRoot, project), stage, subject: undefined };
}

/** The units of a target; all cells, parts or pairs of the stage when it names none. @throws STAGE_TARGET */
export function targetUnits(lock: Lock, { stage, subject, model }: Target): Unit[] {
  const units = unitsOf(lock);
  const chosen = units.filter((unit) => unit.stage === stage && (subject === undefined || unit.subject === subject));
  if (chosen.length > 0) return chosen;
  const ofStage = units.filter((unit) => unit.stage === (stage as StageName));
  const known = ofStage.length > 0 ? ofStage.map(unitName) : [...new Set(units.map((unit) => unit.stage))];
  throw stageError('STAGE_TARGET', {
    what: `${model.name} has no ${ofStage.length > 0 ? `${printable(stage)} of ${printable(subject ?? '')}` : `stage ${printable(stage)}`}`,
    why: `it has: ${known.slice(0, 12).join(', ')}${known.length > 12 ? `, and ${known.length - 12} more` : ''}`,
    fix: 'name one of them',
  });
}
