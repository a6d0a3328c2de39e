/** What a build would do, unit by unit, and why: found with the same keys, with nothing run and nothing written. */
import { type LeafDifference, type StageManifest, leafDifferences } from '@tundish/store';
import type { Pipeline } from '../pipeline.js';
import { type Unit, inputsOf, unitName, unitsOf } from '../plan.js';
import type { FoundIn } from '../shared-results.js';
import { LastEntries, type LastEntry, readEntry } from './last-entries.js';
import { type Prediction, Predictor } from './predict.js';

/**
 * `cached`: the store or the remote cache has the result. `run`: neither has. `open`: inputs are made first; when they come out as they did last time
 * the store has the result, else the unit runs.
 */
export type UnitState = 'cached' | 'run' | 'open';

export interface UnitOutlook {
  readonly unit: Unit;
  readonly name: string;
  readonly state: UnitState;
  /** One sentence. */
  readonly why: string;
  /** Where the result is that serves the unit, or would; null when there is none. */
  readonly source: FoundIn | null;
  /** Fields of the key that differ from the last build's; own options before results of other units. Values are canonical JSON. */
  readonly differences: readonly LeafDifference[];
  /** Folder of the entry that serves the unit, or would; null also for one that is on the remote cache alone. */
  readonly entry: string | null;
  /** Folder of the entry that the key is compared with, and when it was made; null when there is none, or no comparison. */
  readonly last: { readonly path: string; readonly createdAt: string } | null;
  /** What running it would cost; null for a cached unit. */
  readonly prediction: Prediction | null;
}

/** All units, producers before consumers. What the store has is not compared with the last build: that would take a look at every entry of the stage. */
export function buildOutlook(pipeline: Pipeline): Promise<UnitOutlook[]> {
  return outlooksOf(pipeline, unitsOf(pipeline.lock), new Set());
}

/** These units, each compared with its last build; of the others only what they read is looked at. */
export async function unitOutlooks(pipeline: Pipeline, asked: readonly Unit[]): Promise<UnitOutlook[]> {
  const names = new Set(asked.map(unitName));
  const needed = new Set<string>();
  const need = (unit: Unit): void => {
    if (needed.has(unitName(unit))) return;
    needed.add(unitName(unit));
    inputsOf(pipeline.lock, unit).forEach(need);
  };
  asked.forEach(need);
  const outlooks = await outlooksOf(pipeline, unitsOf(pipeline.lock).filter((unit) => needed.has(unitName(unit))), names);
  return outlooks.filter(({ name }) => names.has(name));
}

async function outlooksOf(pipeline: Pipeline, units: readonly Unit[], compared: ReadonlySet<string>): Promise<UnitOutlook[]> {
  const entries = new LastEntries(pipeline.location.cacheRoot, pipeline.layout.model);
  const predictor = new Predictor(pipeline.lock, entries);
  const known = new Map<string, Known>();
  const outlooks: UnitOutlook[] = [];
  for (const unit of units) {
    const name = unitName(unit);
    const { manifest, last, ...outlook } = await outlookOf(pipeline, unit, known, { entries, isCompared: compared.has(name) });
    const isCached = outlook.state === 'cached';
    if (manifest !== undefined) predictor.add(manifest);
    known.set(name, { manifest, certain: isCached });
    outlooks.push({
      unit, name, ...outlook,
      last: last === undefined ? null : { path: last.path, createdAt: last.sidecar.created_at },
      prediction: isCached ? null : predictor.predict(unit, last ?? (outlook.entry === null ? undefined : readEntry(outlook.entry))),
    });
  }
  return outlooks;
}

/** A result that a unit has, or had last time. */
interface Known {
  readonly manifest: StageManifest | undefined;
  readonly certain: boolean;
}

interface Found extends Pick<UnitOutlook, 'state' | 'why' | 'source' | 'differences' | 'entry'> {
  readonly manifest: StageManifest | undefined;
  readonly last: LastEntry | undefined;
}

async function outlookOf(pipeline: Pipeline, unit: Unit, known: ReadonlyMap<string, Known>, { entries, isCompared }: { readonly entries: LastEntries; readonly isCompared: boolean }): Promise<Found> {
  const inputs = inputsOf(pipeline.lock, unit).map((input) => [unitName(input), known.get(unitName(input))] as const);
  const unmade = inputs.filter(([, input]) => input?.manifest === undefined).map(([name]) => name);
  if (unmade.length > 0) {
    const last = entries.ofUnit(unit);
    return { state: 'run', why: `first needs ${listed(unmade)}, never made here`, source: null, differences: [], entry: null, manifest: last?.manifest, last };
  }
  const pending = inputs.filter(([, input]) => input?.certain === false).map(([name]) => name);
  const { key, entry: place, found } = await pipeline.explain(unit, new Map(inputs.map(([name, input]) => [name, input?.manifest as StageManifest])));
  const last = found === undefined || isCompared ? entries.ofUnit(unit) : undefined;
  const differences = last === undefined ? [] : ownFirst(leafDifferences(new Map(Object.entries(last.sidecar.config)), new Map(Object.entries(key.fields))));
  if (found === undefined) return { state: 'run', why: whyRun(differences, last, pending), source: null, differences, entry: null, manifest: last?.manifest, last };
  const isRemote = found.source === 'remote';
  // What only the remote cache has, has no folder here.
  const served = { ...found, entry: isRemote ? null : place, differences, last };
  if (pending.length === 0) return { ...served, state: 'cached', why: isRemote ? 'another machine made it' : 'nothing changed' };
  return { ...served, state: 'open', why: `upstream changes: runs when ${listed(pending)} gives another result than last time, else it is cached` };
}

function whyRun(differences: readonly LeafDifference[], last: LastEntry | undefined, pending: readonly string[]): string {
  const [first] = differences;
  const upstream = pending.length === 0 ? '' : `; ${listed(pending)} is made first`;
  if (last === undefined) return `never built here${upstream}`;
  if (first === undefined) return `the result of the last build is gone or damaged${upstream}`;
  const more = differences.length === 1 ? '' : ` and ${differences.length - 1} more`;
  return `${first.path}: ${brief(first.before)} -> ${brief(first.after)}${more}${upstream}`;
}

/** An option says more than the digest of a result that it changed. */
function ownFirst(differences: readonly LeafDifference[]): LeafDifference[] {
  const isUpstream = ({ path }: LeafDifference): boolean => path.startsWith('upstream');
  return [...differences.filter((difference) => !isUpstream(difference)), ...differences.filter(isUpstream)];
}

function listed(names: readonly string[]): string {
  return names.length <= 2 ? names.join(' and ') : `${names[0]} and ${names.length - 1} others`;
}

/** A value on one line of a table: a digest by its first digits. */
function brief(value: string | undefined): string {
  return value?.replace(/^"([0-9a-f]{12})[0-9a-f]{52}"$/, '$1…') ?? 'absent';
}
