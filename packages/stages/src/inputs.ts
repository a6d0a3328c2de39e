/** Looks up the results of earlier units that a stage needs. */
import { stageError } from './errors.js';
import type { StageInput, StageRequest } from './stage.js';

/** The result of an earlier unit. @throws STAGE_INPUT_MISSING */
export function requireInput(request: StageRequest<unknown>, unit: string): StageInput {
  const input = request.inputs.get(unit);
  if (input === undefined) throw stageError('STAGE_INPUT_MISSING', { what: `${unit} has not run`, fix: `run it first: npx nx run MODEL:${unit}` });
  return input;
}
