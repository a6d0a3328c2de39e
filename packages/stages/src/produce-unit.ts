/** The result of one unit: found in the action cache under its key, or made by its stage and published there. */
import type { Reporter } from '@tundish/diagnostics';
import { type ActionCache, type ActionInfo, type Store, diskError } from '@tundish/store';
import { upstreamDigests } from './key-inputs.js';
import { measureMemory } from './memory/measure-memory.js';
import { withinLimit } from './memory/within-limit.js';
import type { Observation } from './observe/observation.js';
import { cpuSecondsSince } from './observe/process-usage.js';
import { Pieces } from './pieces.js';
import type { PipelineRequest, UnitRun } from './pipeline-request.js';
import { unitName } from './plan.js';
import type { FirstWork } from './preflight/first-work.js';
import { publishResult } from './publish.js';
import { replayRequest } from './replay/request.js';
import type { Stage, StageContext, StageInput, StageResult } from './stage.js';
import type { KeyedUnit, ModelContext } from './unit-key.js';

/** Where the units of a model are made. */
export interface Workplace extends ModelContext, Pick<PipelineRequest, 'signal' | 'threads' | 'maxMemory'> {
  readonly store: Store;
  readonly cache: ActionCache;
  readonly observation: Observation;
  readonly firstWork: FirstWork;
  readonly reporter: Reporter;
}

/** A result in the store, and whether it was there. */
export type Produced = Pick<UnitRun, 'status' | 'manifest' | 'expectedRssBytes' | 'pieces'>;

/**
 * @param results of the units that it reads, by their names
 * @throws STAGE_MAX_MEMORY, the errors of preflight and of the stage; nothing is kept then but finished pieces
 */
export async function produceUnit(workplace: Workplace, unit: KeyedUnit, results: ReadonlyMap<string, StageInput>): Promise<Produced> {
  const { cache, firstWork } = workplace;
  const { stage: name, subject } = unit.unit;
  const found = await cache.lookup(name, unit.action.key);
  if (found !== undefined) return { status: 'cached', manifest: found };
  const stage = await unit.stage.load();
  stage.requires(unit.request);
  const declared = await firstWork.before(name);
  const pieces = piecesOf(workplace, unit, results);
  const [began, cpu, createdAt] = [performance.now(), process.cpuUsage(), new Date().toISOString()];
  const { result: manifest, memory } = await measureMemory(() => workplace.store.withScratch(async (scratch) => {
    const result = await runStage(workplace, unit, { stage, scratch, pieces, declared });
    return publishResult(workplace.store, { name: stage.name, subject, result, scratch, reporter: workplace.reporter });
  }));
  const cost: Pick<ActionInfo, 'wallSeconds' | 'cpuSeconds' | 'memory'> = {
    wallSeconds: (performance.now() - began) / 1000,
    cpuSeconds: cpuSecondsSince(cpu),
    memory: { declared: declared ?? null, measured: memory.bytes, of: memory.of, limit: workplace.maxMemory ?? null },
  };
  const published = await cache.publish(name, unit.action.key, { manifest, info: { ...originOf(workplace, unit, results), createdAt, ...cost } });
  return { status: 'run', manifest: published, ...(declared === undefined ? {} : { expectedRssBytes: declared }), ...(pieces.count.total === 0 ? {} : { pieces: pieces.count }) };
}

/** What the sidecar says beside the cost. */
function originOf({ lock }: ModelContext, { unit, request, action }: KeyedUnit, results: ReadonlyMap<string, StageInput>): Omit<ActionInfo, 'createdAt' | 'wallSeconds' | 'memory'> {
  return {
    source: sourceOf(lock, results),
    config: action.fields,
    ...(request.toolchain === undefined ? {} : { tool: request.toolchain }),
    inputs: upstreamDigests(results),
    request: replayRequest(unit, request.options, lock),
  };
}

function piecesOf({ store, cache, observation, lock }: Workplace, { unit, keyed }: KeyedUnit, results: ReadonlyMap<string, StageInput>): Pieces {
  return new Pieces({ store, cache, by: keyed, source: sourceOf(lock, results), stage: unit.stage, unit: unitName(unit), observation });
}

/** The main thing that a unit reads. */
function sourceOf(lock: ModelContext['lock'], results: ReadonlyMap<string, StageInput>): string {
  return [...results.keys()].at(-1) ?? lock.source.location;
}

/** What one run of a stage works with. */
interface RunningStage {
  readonly stage: Stage<unknown>;
  readonly scratch: string;
  readonly pieces: Pieces;
  readonly declared: number | undefined;
}

async function runStage(workplace: Workplace, { unit, request }: KeyedUnit, { stage, scratch, pieces, declared }: RunningStage): Promise<StageResult> {
  const { reporter, adapters, threads, source, maxMemory } = workplace;
  const run = (signal: AbortSignal): Promise<StageResult> => {
    const context: StageContext = {
      signal, reporter, adapters, threads, scratch,
      checkpoint: () => source.folder(),
      projectFile: (relative) => source.projectFile(relative),
      piece: (piece, make) => pieces.piece(piece, make),
    };
    return stage.run(context, request);
  };
  const result = await withinLimit({ stage: unit.stage, maxMemory, declared, signal: workplace.signal }, run).catch((error: unknown) => {
    throw diskError(error, `run ${stage.name}`, scratch);
  });
  stage.ensures(result, request);
  return result;
}
