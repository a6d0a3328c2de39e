/** why: which fields of a unit's key changed since its last build, with both values; or which entry serves it. */
import { printable } from '@tundish/diagnostics';
import type { UnitOutlook } from '@tundish/stages/outlook';
import { parseTarget, targetUnits } from '@tundish/stages/workspace';
import type { Io } from '../io.js';
import { modelOutlook } from '../model-outlook.js';

export interface WhyOptions {
  /** `MODEL:STAGE` or `MODEL/SUBJECT:STAGE`. */
  readonly target: string;
  readonly workspaceRoot: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** @throws STAGE_TARGET, STAGE_MODEL_UNKNOWN and the errors of recipes */
export async function whyCommand({ target: word, workspaceRoot, json, signal }: WhyOptions, io: Io): Promise<void> {
  const target = parseTarget(workspaceRoot, word);
  const { units } = await modelOutlook(workspaceRoot, target.model.root, signal, io, (lock) => targetUnits(lock, target));
  if (json) io.out(`${JSON.stringify(units.map(({ name, state, why, source, differences, entry, last }) => ({ unit: name, state, why, source, differences, entry, last })), null, 2)}\n`);
  else io.out(units.map((outlook) => `${describe(outlook).join('\n')}\n`).join('\n'));
}

function describe({ name, state, why, source, differences, entry, last }: UnitOutlook): string[] {
  const fields = differences.map(({ path, before, after }) => `  ${path}: ${printable(before ?? 'absent')} -> ${printable(after ?? 'absent')}`);
  const place = source === 'remote' ? 'the remote cache' : (entry ?? '');
  const compared = last === null ? [] : [`  compared with ${last.path}`, `  made ${last.createdAt}`];
  if (state === 'cached') {
    // An older entry may fit: the recipe went back to what it was.
    return [`${name}: cached${differences.length === 0 ? ', nothing changed since the last build' : ', a build before the last one had this key'}`, `  served by ${place}`, ...fields];
  }
  if (state === 'open') return [`${name}: ${why}`, `  served by ${place}, if so`, ...fields];
  const count = differences.length === 0 ? why : `${differences.length} field${differences.length === 1 ? '' : 's'} of its key changed since the last build`;
  return [`${name}: runs, ${count}`, ...fields, ...compared];
}
