/** The result of one unit: found in the action cache under its key, or made by its stage and published there. */
import type { Reporter } from '@tundish/diagnostics';
import { type ActionCache, type ActionInfo, type StageManifest, type Store, diskError } from '@tundish/store';
import { upstreamDigests } from './key-inputs.js';
import { measureMemory } from './memory/measure-memory.js';
import { withinLimit } from './memory/within-limit.js';
import { namedFiles } from './needed-files.js';
import type { Observation } from './observe/observation.js';
import { cpuSecondsSince } from './observe/process-usage.js';
import { LostPiece, type PieceCount, Pieces } from './pieces.js';
import type { PipelineRequest, UnitRun } from './pipeline-request.js';
import { unitName } from './plan.js';
import type { FirstWork } from './preflight/first-work.js';
import { publishResult } from './publish.js';
import { replayRequest } from './replay/request.js';
import type { SharedResults } from './shared-results.js';
import type { Stage, StageContext, StageInput, StageResult } from './stage.js';
import type { KeyedUnit, ModelContext } from './unit-key.js';

/** Where the units of a model are made. */
export interface Workplace extends ModelContext, Pick<PipelineRequest, 'signal' | 'threads' | 'maxMemory'> {
  readonly store: Store;
  readonly cache: ActionCache;
  readonly results: SharedResults;
  readonly observation: Observation;
  readonly firstWork: FirstWork;
  readonly reporter: Reporter;
}

/** A result, and whether it was there. */
export type Produced = Pick<UnitRun, 'status' | 'manifest' | 'source' | 'expectedRssBytes' | 'pieces'>;

export interface ProduceRequest {
  /** Results of the units that it reads, by their names. */
  readonly inputs: ReadonlyMap<string, StageInput>;
  /** Whether the files of the result must be here: a result that another machine made is then no answer. */
  readonly whole: boolean;
  /** Brings the files of the inputs here; called when nothing speaks against running the stage. */
  readonly prepare: () => Promise<void>;
}

/** @throws STAGE_MAX_MEMORY, the errors of preflight and of the stage; nothing is kept then but finished pieces */
export async function produceUnit(workplace: Workplace, unit: KeyedUnit, { inputs: results, whole, prepare }: ProduceRequest): Promise<Produced> {
  const { cache, firstWork, results: shared } = workplace;
  const { stage: name } = unit.unit;
  const found = await (whole ? shared.lookupWhole(name, unit.action.key) : shared.lookup(name, unit.action.key));
  if (found !== undefined) return { status: 'cached', ...found };
  const stage = await unit.stage.load();
  stage.requires(unit.request);
  const declared = await firstWork.before(name);
  await prepare();
  const [began, cpu, createdAt] = [performance.now(), process.cpuUsage(), new Date().toISOString()];
  const { result: { manifest, pieces }, memory } = await measureMemory(() => made(workplace, unit, results, { stage, declared }));
  const cost: Pick<ActionInfo, 'wallSeconds' | 'cpuSeconds' | 'memory'> = {
    wallSeconds: (performance.now() - began) / 1000,
    cpuSeconds: cpuSecondsSince(cpu),
    memory: { declared: declared ?? null, measured: memory.bytes, of: memory.of, limit: workplace.maxMemory ?? null },
  };
  const handedOn = new Set([...results.values()].flatMap(({ manifest: read }) => namedFiles(read).map(({ sha256 }) => sha256)));
  const published = await cache.publish(name, unit.action.key, { manifest, handedOn, info: { ...originOf(workplace, unit, results), createdAt, ...cost } });
  shared.share(name, unit.action.key, published);
  return { status: 'run', manifest: published, ...(declared === undefined ? {} : { expectedRssBytes: declared }), ...(pieces.total === 0 ? {} : { pieces }) };
}

/** Runs the stage; once more without pieces of other machines where one of them has lost a file. */
async function made(workplace: Workplace, unit: KeyedUnit, results: ReadonlyMap<string, StageInput>, running: Pick<RunningStage, 'stage' | 'declared'>): Promise<{ readonly manifest: StageManifest; readonly pieces: PieceCount }> {
  const { store, reporter } = workplace;
  const attempt = (whole: boolean): ReturnType<typeof made> => store.withScratch(async (scratch) => {
    const pieces = piecesOf(workplace, unit, results, whole);
    const result = await runStage(workplace, unit, { ...running, scratch, pieces });
    return { manifest: await publishResult(store, { name: running.stage.name, subject: unit.unit.subject, result, scratch, reporter }), pieces: pieces.count };
  });
  try {
    return await attempt(false);
  } catch (error) {
    if (error instanceof LostPiece) return attempt(true);
    throw error;
  }
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

function piecesOf({ store, cache, results: shared, observation, lock }: Workplace, { unit, keyed }: KeyedUnit, results: ReadonlyMap<string, StageInput>, whole: boolean): Pieces {
  return new Pieces({ store, cache, shared, whole, by: keyed, source: sourceOf(lock, results), stage: unit.stage, unit: unitName(unit), observation });
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
