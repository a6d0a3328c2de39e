/** plan: which units a build would run, why, and what that would cost; runs nothing and writes nothing. */
import { formatBytes, formatSeconds, printable, textTable } from '@tundish/diagnostics';
import { type Finding, type Prediction, type UnitOutlook, type UnitState, modelLayout, placeOf, preflight } from '@tundish/stages/outlook';
import { findModel } from '@tundish/stages/workspace';
import { buildWatch } from '../build/build-watch.js';
import { freeBytes } from '../doctor/machine.js';
import { cacheRootOf, hubCacheOf, watchWordsOf } from '../environment.js';
import type { Io } from '../io.js';
import { type ModelOutlook, modelOutlook } from '../model-outlook.js';
import { adapters } from '../toolchains.js';

export interface PlanOptions {
  /** Folder or name of a model. */
  readonly model: string;
  readonly workspaceRoot: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Sums over units. */
interface Totals {
  readonly units: number;
  /** One after the other. */
  readonly seconds: number;
  readonly bytes: number;
  readonly peakRssBytes: number;
}

export async function planCommand({ model, workspaceRoot, json, signal }: PlanOptions, io: Io): Promise<void> {
  const { root, name } = findModel(workspaceRoot, model);
  const outlook = await modelOutlook(workspaceRoot, root, signal, io);
  const findings = await findingsOf(workspaceRoot, root, outlook);
  const totals = { run: totalOf(outlook.units, ['run']), atMost: totalOf(outlook.units, ['run', 'open']) };
  if (json) io.out(`${JSON.stringify({ model: name, staleLockFields: outlook.stale ?? null, units: outlook.units.map(asJson), totals, findings: findings.map(({ severity, problem }) => ({ severity, ...problem.toJSON() })) }, null, 2)}\n`);
  else io.out(`${describe(outlook, totals, freeBytes(cacheRootOf(workspaceRoot)))}${findings.map(({ severity, problem }) => `\n${severity}: ${problem.message}\n`).join('')}`);
}

/** What preflight of the build would find; a build that is all hits has none. */
async function findingsOf(workspaceRoot: string, modelRoot: string, { lock, units }: ModelOutlook): Promise<readonly Finding[]> {
  const first = units.find(({ state }) => state !== 'cached');
  if (first === undefined) return [];
  const { maxMemory } = buildWatch(watchWordsOf(), workspaceRoot);
  const { findings } = await preflight({
    layout: modelLayout(workspaceRoot, modelRoot), lock, adapters, from: placeOf(lock, first.unit.stage) ?? 'load',
    cacheRoot: cacheRootOf(workspaceRoot), hubCache: hubCacheOf(), ...(maxMemory === undefined ? {} : { maxMemory }),
  });
  return findings;
}

function asJson({ unit, name, ...outlook }: UnitOutlook): object {
  return { unit: name, stage: unit.stage, subject: unit.subject, ...outlook };
}

function totalOf(units: readonly UnitOutlook[], states: readonly UnitState[]): Totals {
  const costs = units.filter(({ state }) => states.includes(state)).map(({ prediction }) => prediction as Prediction);
  return {
    units: costs.length,
    seconds: costs.reduce((sum, { seconds }) => sum + seconds, 0),
    bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    peakRssBytes: Math.max(0, ...costs.map(({ peakRssBytes }) => peakRssBytes)),
  };
}

const STATES: Readonly<Record<UnitState, string>> = { cached: 'cached', run: 'run', open: 'run, or cached' };
const BASES: Readonly<Record<Prediction['basis'], string>> = { 'last run': '', 'another run of the stage': ' ~', 'checkpoint size': ' ?' };

function describe({ units, stale }: ModelOutlook, { run, atMost }: { readonly run: Totals; readonly atMost: Totals }, free: number): string {
  const rows = units.map(({ name, state, source, why, prediction }) => {
    const cost = prediction === null ? ['', '', ''] : [`${formatSeconds(prediction.seconds)}${BASES[prediction.basis]}`, formatBytes(prediction.bytes), formatBytes(prediction.peakRssBytes)];
    return [name, source === 'remote' && state === 'cached' ? 'cached (remote)' : STATES[state], ...cost, printable(why, 160)];
  });
  const lines = [
    ...textTable(['unit', 'state', 'time', 'disk', 'memory', 'why'], rows, [false, false, true, true, true]),
    '',
    `${run.units} to run: ${costText(run)}`,
    ...(atMost.units === run.units ? [] : [`at most ${atMost.units}, when every result differs from the last one: ${costText(atMost)}`]),
    ...(atMost.bytes > free ? [`the disk has only ${formatBytes(free)}: npx tundish gc, or set TUNDISH_CACHE_ROOT to a larger disk`] : []),
    ...(stale === undefined ? ['recipe.lock.json would be written'] : stale.length === 0 ? [] : [`recipe.lock.json would be written anew: ${stale.slice(0, 3).join(', ')}${stale.length > 3 ? ` and ${stale.length - 3} more` : ''}`]),
    ...legend(units),
  ];
  return `${lines.join('\n')}\n`;
}

function costText({ seconds, bytes, peakRssBytes }: Totals): string {
  return `${formatSeconds(seconds)} one after the other, ${formatBytes(bytes)} of disk, ${formatBytes(peakRssBytes)} of memory`;
}

function legend(units: readonly UnitOutlook[]): string[] {
  const used = new Set(units.map(({ prediction }) => prediction?.basis));
  return [
    ...(used.has('another run of the stage') ? ['~ as another unit of the stage took'] : []),
    ...(used.has('checkpoint size') ? ['? estimated from the size of the checkpoint: an order of magnitude'] : []),
  ];
}
