/**
 * Runs units of work: exact key, action cache, stage, publication. The same code serves Nx executors, which find earlier
 * results in their stage.json, and programs, which have them made.
 */
import { readFile } from 'node:fs/promises';
import type { Reporter } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { type ActionCache, type ActionInputs, type ActionKey, type StageManifest, type Store, actionKey, diskError, encodeManifest, manifestDigest, openActionCache, openStore, readManifest, writeFileAtomic } from '@tundish/store';
import type { ToolchainIdentity } from '@tundish/toolchain';
import { CodeDigests } from './code/code-digests.js';
import { stageError } from './errors.js';
import { keyInputs, upstreamDigests } from './key-inputs.js';
import { type ModelLayout, modelLayout } from './layout.js';
import type { Observer } from './observe/event.js';
import { Observation, type Span } from './observe/observation.js';
import { cpuSecondsSince, peakRss } from './observe/process-usage.js';
import { recipeObservers } from './observe/recipe-observers.js';
import { type Unit, inputsOf, roleOf, unitName } from './plan.js';
import { type PieceCount, Pieces } from './pieces.js';
import { checkPin } from './pinned-tool.js';
import { FirstWork } from './preflight/first-work.js';
import { publishResult } from './publish.js';
import { Source } from './source.js';
import type { Adapters, Stage, StageContext, StageInput, StageRequest, StageResult } from './stage.js';
import { replayRequest } from './replay/request.js';
import { stageInput } from './stage-input.js';
import { unitOptions } from './unit-options.js';
import { type UnitStage, unitStage } from './unit-stage.js';

export interface PipelineRequest {
  readonly workspaceRoot: string;
  /** Folder of the model project, relative to the workspace. */
  readonly modelRoot: string;
  readonly cacheRoot: string;
  /** Where hub checkpoints are kept: the folder that Hugging Face tools use. */
  readonly hubCache: string;
  readonly hub?: { readonly token?: string; readonly offline?: boolean };
  readonly adapters: Adapters;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly threads: number;
  /** True when earlier results are in place because Nx ran or restored them; else they are looked up or made. */
  readonly inputsInPlace?: boolean;
  /** Memory that no stage may need, bytes: one that is expected to need more is refused before any work. In no key. */
  readonly maxMemory?: number;
  /** Whether this pipeline looks before its first work whether the build can succeed; absent: yes. Of many processes of one run one does. */
  readonly preflight?: () => boolean;
  /** Who is told what happens, until `close`; those that the recipe names are added. Absent: nobody, also none of the recipe. */
  readonly observers?: readonly Observer[];
  /** Start of the run that this pipeline is part of, milliseconds since 1970; absent: now. It is in events only. */
  readonly startedAt?: number;
}

/** What became of one unit. */
export interface UnitRun {
  readonly unit: Unit;
  readonly status: 'run' | 'cached';
  readonly seconds: number;
  /** Of the whole process in that time, all threads included. */
  readonly cpuSeconds: number;
  /** Largest resident memory of the process until then. */
  readonly peakRssBytes: number;
  /** Bytes of new content that went to disk. */
  readonly bytesWritten: number;
  readonly manifest: StageManifest;
  /** Of a unit that ran: what it was expected to need before it did. */
  readonly expectedRssBytes?: number;
  /** Of a unit that ran in pieces with keys of their own. */
  readonly pieces?: PieceCount;
}

/** A result in the store, and whether it was there. */
type Produced = Pick<UnitRun, 'status' | 'manifest' | 'expectedRssBytes' | 'pieces'>;

/** A model's units over one store. */
export class Pipeline {
  readonly layout: ModelLayout;
  readonly lock: Lock;
  readonly store: Store;
  readonly #cache: ActionCache;
  readonly #source: Source;
  readonly #code: CodeDigests;
  readonly #done = new Map<string, Promise<UnitRun>>();
  readonly #rebuilt = new Set<string>();
  readonly #observation: Observation;
  readonly #firstWork: FirstWork;
  #tidied: Promise<void> | undefined;

  private constructor(private readonly request: PipelineRequest, layout: ModelLayout, lock: Lock, { observers = [], remember = true }: { readonly observers?: readonly Observer[]; readonly remember?: boolean }) {
    this.layout = layout;
    this.lock = lock;
    this.store = openStore(request.cacheRoot);
    this.#cache = openActionCache(this.store, layout.model);
    this.#source = new Source(request, layout, lock);
    this.#code = new CodeDigests(request.cacheRoot, remember);
    const { startedAt = Date.now(), reporter } = request;
    this.#firstWork = new FirstWork({ ...request, layout, lock });
    this.#observation = new Observation({ observers, model: layout.model, startedAt, stored: () => this.store.bytesWritten, reporter });
  }

  /** @throws STAGE_LOCK_MISSING and the errors of `parseLock` */
  static async open(request: PipelineRequest): Promise<Pipeline> {
    const layout = modelLayout(request.workspaceRoot, request.modelRoot);
    const bytes = await readFile(layout.lock).catch((cause: unknown) => {
      throw stageError('STAGE_LOCK_MISSING', { what: `${layout.model} has no recipe.lock.json`, evidence: { path: layout.lock }, fix: 'write it from the recipe: npx nx g @tundish/nx:lock', cause });
    });
    const lock = (await import('@tundish/recipe/parse-lock')).parseLock(bytes, layout.lock);
    const observers = request.observers === undefined ? [] : [...request.observers, ...(await recipeObservers(lock.observers ?? [], layout.root, request.reporter))];
    return new Pipeline(request, layout, lock, { observers });
  }

  /** The pipeline of a lock that is not on disk, of a recipe as it is now: to `explain` units, with nothing written. */
  static withLock(request: PipelineRequest, lock: Lock): Pipeline {
    return new Pipeline(request, modelLayout(request.workspaceRoot, request.modelRoot), lock, { remember: false });
  }

  /** Runs a unit, or finds its result; each unit at most once per pipeline. */
  run(unit: Unit): Promise<UnitRun> {
    const name = unitName(unit);
    const known = this.#done.get(name);
    if (known !== undefined) return known;
    const started = this.#runOnce(unit);
    this.#done.set(name, started);
    return started;
  }

  /** Shows observers the units that `work` runs as one stage. */
  observeStage<T extends { readonly status: 'run' | 'cached' }>(stage: string, work: (reporter: Reporter) => Promise<T>): Promise<T> {
    return this.#observation.around({ level: 'stage', stage, name: stage }, (span) => work(span.reporter(this.request.reporter)));
  }

  /** Ends the observers. */
  close(): Promise<void> {
    return this.#observation.close();
  }

  /** Units that were run again because the store had lost files of theirs. */
  get rebuilt(): readonly string[] {
    return [...this.#rebuilt];
  }

  /** Where this model and its store are. */
  get location(): { readonly workspaceRoot: string; readonly modelRoot: string; readonly cacheRoot: string } {
    const { workspaceRoot, modelRoot, cacheRoot } = this.request;
    return { workspaceRoot, modelRoot, cacheRoot };
  }

  /** Absolute folder of the checkpoint, verified against the lock. */
  checkpoint(): Promise<string> {
    return this.#source.folder();
  }

  /** The result of a unit with its files on disk; made again when the store has lost them. */
  async input(unit: Unit): Promise<StageInput> {
    const manifest = this.request.inputsInPlace === true ? await this.#inPlace(unit) : (await this.run(unit)).manifest;
    if (manifest.externals.some((external) => this.#source.holds(external))) await this.#source.locate();
    return this.#stageInput(manifest);
  }

  /**
   * The key that a unit has with these results of the units it reads, and what the store holds under it. Nothing is run or marked
   * as used.
   */
  async explain(unit: Unit, upstream: ReadonlyMap<string, StageManifest>): Promise<{ readonly key: ActionKey; readonly entry: string; readonly manifest: StageManifest | undefined }> {
    const inputs = new Map([...upstream].map(([name, manifest]) => [name, this.#stageInput(manifest)]));
    const key = actionKey(await this.#keyInputs(unit, await this.#request(unit, inputs), await this.#stage(unit)));
    return { key, entry: this.#cache.entryPath(unit.stage, key.key), manifest: this.#cache.peek(unit.stage, key.key) };
  }

  async #inPlace(unit: Unit): Promise<StageManifest> {
    const manifest = readManifest(this.layout.manifest(unit.stage, unit.subject));
    if (this.#isWhole(manifest)) return manifest;
    // Compared before anything is written: a stage.json that disagrees must still be there when the user looks.
    const again = await this.#make(unit);
    if (again.status === 'run') this.#rebuilt.add(unitName(unit));
    if (manifestDigest(again.manifest) === manifestDigest(manifest)) return manifest;
    throw stageError('STAGE_REBUILD_DIFFERS', {
      what: `${unitName(unit)} was run again, because its files are gone from the store, and gave other bytes than its stage.json names`,
      why: 'the stage.json comes from another machine or another version',
      evidence: { path: this.layout.manifest(unit.stage, unit.subject) },
      fix: `take the new result: npx nx run ${this.layout.model}:${unit.stage} --skip-nx-cache`,
    });
  }

  #isWhole(manifest: StageManifest): boolean {
    const own = manifest.outputs.every((output) => this.store.has(output));
    return own && manifest.externals.every((external) => this.#source.holds(external) || this.store.has(external));
  }

  #stageInput(manifest: StageManifest): StageInput {
    return stageInput(manifest, this.#source, this.store);
  }

  async #runOnce(unit: Unit): Promise<UnitRun> {
    const began = performance.now();
    const cpu = process.cpuUsage();
    const written = this.store.bytesWritten;
    // A run that finds everything needs no scratch folder, and would leave those of killed runs where they are.
    await (this.#tidied ??= this.store.removeAbandoned());
    const result = await this.#make(unit);
    await writeFileAtomic(this.layout.manifest(unit.stage, unit.subject), encodeManifest(result.manifest));
    return { unit, ...result, seconds: (performance.now() - began) / 1000, cpuSeconds: cpuSecondsSince(cpu), peakRssBytes: peakRss(), bytesWritten: this.store.bytesWritten - written };
  }

  #make(unit: Unit): Promise<Produced> {
    return this.#observation.around({ level: 'unit', stage: unit.stage, name: unitName(unit) }, async (span) => {
      const inputs = new Map<string, StageInput>();
      for (const input of inputsOf(this.lock, unit)) inputs.set(unitName(input), await this.input(input));
      return this.#produce(unit, inputs, span);
    });
  }

  async #produce(unit: Unit, results: ReadonlyMap<string, StageInput>, span: Span): Promise<Produced> {
    const request = await this.#request(unit, results);
    const made = await this.#stage(unit);
    const keyed = await this.#keyInputs(unit, request, made);
    const { key, fields } = actionKey(keyed);
    const found = await this.#cache.lookup(unit.stage, key);
    if (found !== undefined) return { status: 'cached', manifest: found };
    const stage = await made.load();
    stage.requires(request);
    const expected = await this.#firstWork.before(unit.stage);
    const source = sourceOf(results, this.lock);
    const reporter = span.reporter(this.request.reporter);
    const pieces = new Pieces({ store: this.store, cache: this.#cache, by: keyed, source, stage: unit.stage, unit: unitName(unit), observation: this.#observation });
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    const createdAt = new Date().toISOString();
    const manifest = await this.store.withScratch(async (scratch) => {
      const result = await this.#runStage(stage, request, { scratch, pieces, reporter });
      return publishResult(this.store, { name: stage.name, subject: unit.subject, result, scratch, reporter });
    });
    const published = await this.#cache.publish(unit.stage, key, {
      manifest,
      info: {
        source,
        config: fields,
        createdAt,
        ...(request.toolchain === undefined ? {} : { tool: request.toolchain }),
        inputs: upstreamDigests(results),
        request: replayRequest(unit, request.options, this.lock),
        wallSeconds: (performance.now() - began) / 1000,
        cpuSeconds: cpuSecondsSince(cpu),
        peakRssBytes: peakRss(),
        ...(expected === undefined ? {} : { expectedRssBytes: expected }),
        ...(this.request.maxMemory === undefined ? {} : { maxMemoryBytes: this.request.maxMemory }),
      },
    });
    this.#firstWork.after(unit.stage, peakRss());
    return { status: 'run', manifest: published, ...(expected === undefined ? {} : { expectedRssBytes: expected }), ...(pieces.count.total === 0 ? {} : { pieces: pieces.count }) };
  }

  async #request(unit: Unit, results: ReadonlyMap<string, StageInput>): Promise<StageRequest<unknown>> {
    const inputs = new Map([...results].map(([name, input]) => [roleOf(this.lock, name), input]));
    return { options: unitOptions(this.lock, unit), subject: unit.subject, inputs, source: this.#source.files, toolchain: await this.#toolchain(unit) };
  }

  #stage(unit: Unit): Promise<UnitStage> {
    return unitStage(unit, { custom: this.lock.custom, toolchainName: this.lock.stages.convert.toolchain.name, root: this.layout.root, adapters: this.request.adapters, code: this.#code });
  }

  #keyInputs(unit: Unit, request: StageRequest<unknown>, { modules }: UnitStage): Promise<ActionInputs> {
    return keyInputs(unit.stage, request, { adapters: this.request.adapters, code: this.#code, modules });
  }

  async #runStage(stage: Stage<unknown>, request: StageRequest<unknown>, { scratch, pieces, reporter }: Workplace): Promise<StageResult> {
    const { signal, adapters, threads } = this.request;
    const context: StageContext = {
      signal, reporter, adapters, threads, scratch,
      checkpoint: () => this.#source.folder(),
      projectFile: (relative) => this.#source.projectFile(relative),
      piece: (piece, make) => pieces.piece(piece, make),
    };
    const result = await stage.run(context, request).catch((error: unknown) => {
      throw diskError(error, `run ${stage.name}`, scratch);
    });
    stage.ensures(result, request);
    return result;
  }

  /** The installed toolchain, which must be the pinned one, for stages that use it. */
  async #toolchain(unit: Unit): Promise<ToolchainIdentity | undefined> {
    if (unit.stage !== 'convert' && unit.stage !== 'compile') return undefined;
    const pin = this.lock.stages[unit.stage].toolchain;
    const identity = await this.request.adapters.toolchain(pin.name).identity();
    const differs = checkPin(this.layout, pin, identity);
    if (differs !== undefined) throw differs;
    return identity;
  }
}

/** What one run of a stage works with. */
interface Workplace {
  readonly scratch: string;
  readonly pieces: Pieces;
  readonly reporter: Reporter;
}

function sourceOf(inputs: ReadonlyMap<string, StageInput>, lock: Lock): string {
  return [...inputs.keys()].at(-1) ?? lock.source.location;
}
