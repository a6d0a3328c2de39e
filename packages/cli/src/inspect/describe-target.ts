/** What the last build of a model left: a unit's manifest with the place of each output, or the state of all units. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { parseLock } from '@tundish/recipe/parse-lock';
import { type StageOutput, manifestDigest, openStore, readManifest } from '@tundish/store';
import { type FoundModel, type Unit, modelLayout, parseTarget, targetUnits, unitName, unitsOf } from '@tundish/stages/workspace';
import { cliError } from '../errors.js';
import type { Description } from './description.js';
import { describeUnits, type UnitState } from './describe-folder.js';
import { describeManifest } from './describe-json.js';
import { resultIn } from './made-by.js';

export interface TargetPlace {
  readonly workspaceRoot: string;
  readonly cacheRoot: string;
}

/** `llama32:quantize`: one unit in full; a list when the stage has several. @throws STAGE_TARGET, STAGE_MODEL_UNKNOWN, STORE_MANIFEST_* */
export function describeTarget(word: string, place: TargetPlace): Description {
  const target = parseTarget(place.workspaceRoot, word);
  const units = targetUnits(lockOf(place, target.model), target);
  return units.length === 1 ? describeUnit(place, target.model, units[0] as Unit) : listed(place, target.model, units);
}

/** How far a model is built. */
export function describeModel(model: FoundModel, place: TargetPlace): Description {
  return listed(place, model, unitsOf(lockOf(place, model)));
}

/** The outputs lie in the cache entry that serves the unit, under their names; else in the store, under their digests. */
function describeUnit(place: TargetPlace, model: FoundModel, unit: Unit): Description {
  const layout = modelLayout(place.workspaceRoot, model.root);
  const path = layout.manifest(unit.stage, unit.subject);
  const manifest = readManifest(path);
  const made = resultIn(place.cacheRoot, layout.model, unit.stage, manifestDigest(manifest));
  const store = openStore(place.cacheRoot);
  const placeOf = (output: StageOutput): string => {
    if (!store.has(output)) return 'not in the store';
    // What came from a remote cache has its name in the entry from the next build on.
    return made !== undefined && existsSync(join(made.entry, output.name)) ? join(made.entry, output.name) : store.pathOf(output);
  };
  const described = describeManifest(path, manifest, { place: placeOf, made });
  return { ...described, facts: [...described.facts, ['cache entry', made?.entry ?? 'none']], data: { ...described.data, entry: made?.entry ?? null } };
}

function listed(place: TargetPlace, model: FoundModel, units: readonly Unit[]): Description {
  const layout = modelLayout(place.workspaceRoot, model.root);
  const states = units.map((unit): UnitState => {
    const path = layout.manifest(unit.stage, unit.subject);
    if (!existsSync(path)) return { unit: unitName(unit), manifest: null, files: 0, bytes: 0 };
    const { outputs } = readManifest(path);
    return { unit: unitName(unit), manifest: path, files: outputs.length, bytes: outputs.reduce((sum, { size }) => sum + size, 0) };
  });
  return describeUnits(layout.root, states, formatBytes);
}

function lockOf({ workspaceRoot }: TargetPlace, model: FoundModel): Lock {
  const { lock } = modelLayout(workspaceRoot, model.root);
  if (existsSync(lock)) return parseLock(readFileSync(lock), lock);
  throw cliError('CLI_INSPECT_UNKNOWN', { what: `${model.name} has no recipe.lock.json yet`, evidence: { path: lock }, fix: `write it: npx nx g @tundish/nx:lock ${model.name}` });
}
