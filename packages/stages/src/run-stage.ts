/** One call for a surface: run a stage, all its pairs included, and say what it cost. */
import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Pipeline, type PipelineRequest, type UnitRun } from './pipeline.js';
import type { PieceCount } from './pieces.js';
import { type Unit, pairsOf, placeOf, unitsOf } from './plan.js';

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
  readonly bytesWritten: number;
  readonly outputs: number;
  /** Of a stage that ran in pieces with keys of their own: how many there were, and how many the store had. */
  readonly pieces?: PieceCount;
}

/** Runs the units of one Nx task: all pairs of `arcl` and of custom stages behind it, one unit of any other stage. */
export async function runStage(request: RunStageRequest): Promise<StageRun> {
  const pipeline = await Pipeline.open(request);
  const allPairs = request.subject === undefined && placeOf(pipeline.lock, request.stage) === 'arcl';
  const units: Unit[] = allPairs
    ? pairsOf(pipeline.lock).map((subject) => ({ stage: request.stage, subject }))
    : [{ stage: request.stage, subject: request.subject ?? null }];
  const runs: UnitRun[] = [];
  // A single unit tells its own progress; around it this would hide that.
  const report = (): void => void (units.length > 1 && request.reporter.progress({ work: request.stage, label: 'pairs', done: runs.length, total: units.length }));
  for (const unit of units) {
    report();
    runs.push(await pipeline.run(unit));
  }
  report();
  if (allPairs) await forgetOtherPairs(pipeline, request.stage);
  return {
    status: runs.some(({ status }) => status === 'run') ? 'run' : 'cached',
    seconds: runs.reduce((sum, { seconds }) => sum + seconds, 0),
    bytesWritten: pipeline.store.bytesWritten,
    outputs: runs.reduce((sum, { manifest }) => sum + manifest.outputs.length, 0),
    ...piecesOf(runs),
  };
}

function piecesOf(runs: readonly UnitRun[]): Pick<StageRun, 'pieces'> {
  const counts = runs.flatMap(({ pieces }) => pieces ?? []);
  if (counts.length === 0) return {};
  return { pieces: { cached: counts.reduce((sum, { cached }) => sum + cached, 0), total: counts.reduce((sum, { total }) => sum + total, 0) } };
}

/** Nx caches the folder of all pairs as one output: manifests of pairs that the recipe no longer has must not be in it. */
async function forgetOtherPairs({ layout, lock }: Pipeline, stage: string): Promise<void> {
  const folder = dirname(layout.manifest(stage, null));
  const known = new Set(pairsOf(lock));
  for (const pair of await readdir(folder)) if (!known.has(pair)) await rm(join(folder, pair), { recursive: true });
}

/** Runs every unit that the container needs, without Nx: same keys, same cache. */
export async function buildModel(request: Omit<PipelineRequest, 'inputsInPlace'>): Promise<UnitRun[]> {
  const pipeline = await Pipeline.open({ ...request, inputsInPlace: false });
  const runs: UnitRun[] = [];
  for (const unit of unitsOf(pipeline.lock)) runs.push(await pipeline.run(unit));
  return runs;
}
