/** What the last build of a model left: a unit's manifest with the place of each output, or the state of all units. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { parseLock } from '@tundish/recipe/parse-lock';
import { byLastUse, entryFolders, openStore, readManifest, readSidecar, manifestDigest } from '@tundish/store';
import { type FoundModel, type Unit, modelLayout, parseTarget, targetUnits, unitName, unitsOf } from '@tundish/stages/workspace';
import { cliError } from '../errors.js';
import type { Description } from './description.js';
import { describeUnits, type UnitState } from './describe-folder.js';
import { describeManifest } from './describe-json.js';

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
  const digest = manifestDigest(manifest);
  const entry = byLastUse(entryFolders(place.cacheRoot, layout.model, unit.stage)).find((folder) => manifestOf(folder.path) === digest);
  const store = openStore(place.cacheRoot);
  const described = describeManifest(path, manifest, (output) => {
    if (!store.has(output)) return 'not in the store';
    return entry === undefined ? store.pathOf(output) : join(entry.path, output.name);
  });
  return { ...described, facts: [...described.facts, ['cache entry', entry?.path ?? 'none']], data: { ...described.data, entry: entry?.path ?? null } };
}

function manifestOf(entry: string): string | undefined {
  try {
    return readSidecar(entry).manifest;
  } catch {
    // A damaged entry serves nobody.
    return undefined;
  }
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
