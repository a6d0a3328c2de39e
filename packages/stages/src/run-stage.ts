/** One call for a surface: run a stage, all its pairs included, and say what it cost. */
import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RemoteTraffic } from '@tundish/store';
import { Pipeline } from './pipeline.js';
import type { PipelineRequest, UnitRun } from './pipeline-request.js';
import type { PieceCount } from './pieces.js';
import { type Unit, pairsOf, placeOf, unitsOf } from './plan.js';
import type { FoundIn } from './shared-results.js';

export interface RunStageRequest extends PipelineRequest {
  /** A stage of Tundish, or one of the recipe's own by its name. */
  readonly stage: string;
  /** The cell or part, for stages that work on one. */
  readonly subject?: string;
}

/** What one task of Nx did. */
export interface StageRun {
  /** `cached` when the store had every result. */
  readonly status: 'run' | 'cached';
  readonly seconds: number;
  /** Of the whole process, all threads included. */
  readonly cpuSeconds: number;
  /** Largest resident memory of the process while a unit of it ran; until then, where the system cannot say (all but Linux). */
  readonly peakRssBytes: number;
  readonly bytesWritten: number;
  readonly outputs: number;
  /** Of a stage that ran in pieces with keys of their own: how many there were, and how many the store had. */
  readonly pieces?: PieceCount;
  /** With a remote cache: how many of the results came from there, and bytes that were moved. */
  readonly remote?: RemoteTraffic & { readonly results: number };
}

/** Runs the units of one Nx task: all pairs of `arcl` and of custom stages behind it, one unit of any other stage. */
export async function runStage(request: RunStageRequest): Promise<StageRun> {
  const pipeline = await Pipeline.open({ observers: [], ...request });
  const runs = await runTask(pipeline, request).finally(() => pipeline.close());
  // Closed: what was sent is counted.
  return stageRun(runs, pipeline.store.bytesWritten, request.remote?.traffic);
}

async function runTask(pipeline: Pipeline, { stage, subject }: RunStageRequest): Promise<readonly UnitRun[]> {
  const allPairs = subject === undefined && placeOf(pipeline.lock, stage) === 'arcl';
  const units: Unit[] = allPairs ? pairsOf(pipeline.lock).map((pair) => ({ stage, subject: pair })) : [{ stage, subject: subject ?? null }];
  const { runs } = await runUnits(pipeline, stage, units);
  if (allPairs) await forgetOtherPairs(pipeline, stage);
  return runs;
}

/** Runs units of one stage after each other; observers see them as one stage. */
function runUnits(pipeline: Pipeline, stage: string, units: readonly Unit[]): Promise<{ readonly status: 'run' | 'cached'; readonly source: FoundIn; readonly runs: readonly UnitRun[] }> {
  return pipeline.observeStage(stage, async (reporter) => {
    const runs: UnitRun[] = [];
    // A single unit tells its own progress; around it this would hide that.
    const report = (): void => void (units.length > 1 && reporter.progress({ work: stage, label: LABELS[stage] ?? 'cells', done: runs.length, total: units.length }));
    for (const unit of units) {
      report();
      runs.push(await pipeline.run(unit));
    }
    report();
    return { runs, status: statusOf(runs), source: runs.some(({ source }) => source === 'remote') ? 'remote' : 'local' };
  });
}

function statusOf(runs: readonly UnitRun[]): 'run' | 'cached' {
  return runs.some(({ status }) => status === 'run') ? 'run' : 'cached';
}

/** What is being counted while a stage runs several units. */
const LABELS: Readonly<Partial<Record<string, string>>> = { arcl: 'pairs', compile: 'parts' };

/**
 * What units of one stage did together.
 *
 * @param bytesWritten by all of them, and by units that had to run again for them
 * @param traffic of the same, with a remote cache
 */
export function stageRun(runs: readonly UnitRun[], bytesWritten: number, traffic?: RemoteTraffic): StageRun {
  const sum = (of: (run: UnitRun) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const results = runs.filter(({ source }) => source === 'remote').length;
  const counts = runs.flatMap(({ pieces }) => pieces ?? []);
  return {
    status: statusOf(runs),
    seconds: sum(({ seconds }) => seconds),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    peakRssBytes: Math.max(0, ...runs.map(({ peakRssBytes }) => peakRssBytes)),
    bytesWritten,
    outputs: sum(({ manifest }) => manifest.outputs.length),
    ...(counts.length === 0 ? {} : { pieces: { cached: counts.reduce((total, { cached }) => total + cached, 0), total: counts.reduce((total, count) => total + count.total, 0) } }),
    ...(traffic === undefined && results === 0 ? {} : { remote: { results, down: traffic?.down ?? 0, up: traffic?.up ?? 0 } }),
  };
}

/** Nx caches the folder of all pairs as one output: manifests of pairs that the recipe no longer has must not be in it. */
async function forgetOtherPairs({ layout, lock }: Pipeline, stage: string): Promise<void> {
  const folder = dirname(layout.manifest(stage, null));
  const known = new Set(pairsOf(lock));
  for (const pair of await readdir(folder)) if (!known.has(pair)) await rm(join(folder, pair), { recursive: true });
}

/** Runs every unit that the container needs, without Nx: same keys, same cache. The files of the container are in the store then. */
export async function buildModel(request: Omit<PipelineRequest, 'inputsInPlace'>): Promise<UnitRun[]> {
  const pipeline = await Pipeline.open({ observers: [], ...request, inputsInPlace: false });
  try {
    const units = unitsOf(pipeline.lock);
    const runs: UnitRun[] = [];
    for (const stage of new Set(units.map((unit) => unit.stage))) runs.push(...(await runUnits(pipeline, stage, units.filter((unit) => unit.stage === stage))).runs);
    // A result that was found on another machine has its files there until they are asked for.
    await pipeline.input({ stage: 'package', subject: null });
    return runs;
  } finally {
    await pipeline.close();
  }
}
