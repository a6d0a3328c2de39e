/**
 * Runs units of work: exact key, action cache, stage, publication. The same code serves Nx executors, which find earlier
 * results in their stage.json, and programs, which have them made.
 */
import { readFile } from 'node:fs/promises';
import type { Reporter } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { type ActionKey, type StageManifest, type Store, encodeManifest, manifestDigest, openActionCache, openStore, readManifest, writeFileAtomic } from '@tundish/store';
import { CodeDigests } from './code/code-digests.js';
import { stageError } from './errors.js';
import { type ModelLayout, modelLayout } from './layout.js';
import { measureMemory } from './memory/measure-memory.js';
import type { Observer } from './observe/event.js';
import { Observation } from './observe/observation.js';
import { cpuSecondsSince } from './observe/process-usage.js';
import { recipeObservers } from './observe/recipe-observers.js';
import type { PipelineRequest, UnitRun } from './pipeline-request.js';
import { type NamedFile, namedFiles, neededFiles } from './needed-files.js';
import { type Unit, inputsOf, unitName } from './plan.js';
import { FirstWork } from './preflight/first-work.js';
import { type Produced, type Workplace, produceUnit } from './produce-unit.js';
import { type FoundIn, type FoundResult, SharedResults } from './shared-results.js';
import { Source } from './source.js';
import type { StageInput } from './stage.js';
import { stageInput } from './stage-input.js';
import { keyedUnit } from './unit-key.js';

/** How the ways to open a pipeline differ. */
interface PipelineTraits {
  readonly observers?: readonly Observer[];
  /** Whether digests of code are kept for the next process. */
  readonly remember?: boolean;
  /** Whether the model's folder gets a stage.json of each unit. */
  readonly inFolder?: boolean;
}

/** A model's units over one store. */
export class Pipeline {
  readonly layout: ModelLayout;
  readonly lock: Lock;
  readonly store: Store;
  readonly #place: Workplace;
  readonly #done = new Map<string, Promise<UnitRun>>();
  readonly #rebuilt = new Set<string>();
  readonly #inFolder: boolean;
  #tidied: Promise<void> | undefined;

  private constructor(private readonly request: PipelineRequest, layout: ModelLayout, lock: Lock, { observers = [], remember = true, inFolder = true }: PipelineTraits) {
    this.#inFolder = inFolder;
    this.layout = layout;
    this.lock = lock;
    this.store = openStore(request.cacheRoot);
    const { startedAt = Date.now(), reporter } = request;
    const cache = openActionCache(this.store, layout.model);
    this.#place = {
      ...request, layout, lock,
      store: this.store,
      cache,
      results: new SharedResults(this.store, cache, request.remote),
      source: new Source(request, layout, lock),
      code: new CodeDigests(request.cacheRoot, remember),
      firstWork: new FirstWork({ ...request, layout, lock }),
      observation: new Observation({ observers, model: layout.model, startedAt, stored: () => this.store.bytesWritten, reporter }),
    };
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

  /** The pipeline of a variant of a model: its units run, and their results are in the cache alone. Lock, out/ and container stay as they are. */
  static ofVariant(request: Omit<PipelineRequest, 'inputsInPlace' | 'observers'>, lock: Lock): Pipeline {
    return new Pipeline(request, modelLayout(request.workspaceRoot, request.modelRoot), lock, { inFolder: false });
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
  observeStage<T extends { readonly status: 'run' | 'cached'; readonly source?: FoundIn }>(stage: string, work: (reporter: Reporter) => Promise<T>): Promise<T> {
    return this.#place.observation.around({ level: 'stage', stage, name: stage }, (span) => work(span.reporter(this.request.reporter)));
  }

  /** Ends the observers, keeps digests of code for the next process, and waits for uploads, once for all units. */
  async close(): Promise<void> {
    // Only a memo: a disk without room for it costs the next process some reading.
    await this.#place.code.save().catch(() => undefined);
    await this.request.remote?.finish();
    await this.#place.observation.close();
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
    return this.#place.source.folder();
  }

  /** The result of a unit with its files on disk: fetched, or made again, when the store does not have them. */
  async input(unit: Unit): Promise<StageInput> {
    const manifest = await this.#manifest(unit);
    await this.#provide([{ unit, manifest, files: namedFiles(manifest) }]);
    return this.#stageInput(manifest);
  }

  /**
   * The key that a unit has with these results of the units it reads, and what the store or the remote cache holds under it. Nothing
   * is run, written or marked as used.
   */
  async explain(unit: Unit, upstream: ReadonlyMap<string, StageManifest>): Promise<{ readonly key: ActionKey; readonly entry: string; readonly found: FoundResult | undefined }> {
    const inputs = new Map([...upstream].map(([name, manifest]) => [name, this.#stageInput(manifest)]));
    const { action } = await keyedUnit(this.#place, unit, inputs);
    const { cache, results } = this.#place;
    return { key: action, entry: cache.entryPath(unit.stage, action.key), found: await results.peek(unit.stage, action.key) };
  }

  /** The result of a unit as far as its stage.json says it; its files need not be here. */
  async #manifest(unit: Unit): Promise<StageManifest> {
    return this.request.inputsInPlace === true ? readManifest(this.layout.manifest(unit.stage, unit.subject)) : (await this.run(unit)).manifest;
  }

  /** Fetches what the store lacks, all at once; what cannot be had is made again, unit after unit. */
  async #provide(inputs: readonly NeededInput[]): Promise<void> {
    const { results, source } = this.#place;
    const isOfSource = (file: NamedFile): boolean => 'location' in file && source.holds(file);
    if (inputs.some(({ files }) => files.some(isOfSource))) await source.locate();
    const wanted = inputs.map(({ files, ...input }) => ({ ...input, files: files.filter((file) => !isOfSource(file)) }));
    await results.fetch(wanted.flatMap(({ files }) => files));
    for (const { unit, manifest, files } of wanted) {
      const lost = files.filter((file) => !this.store.has(file));
      if (lost.length > 0) await this.#remake(unit, manifest, lost);
    }
  }

  /** Compared before anything is written: a stage.json that disagrees must still be there when the user looks. */
  async #remake(unit: Unit, manifest: StageManifest, lost: readonly NamedFile[]): Promise<void> {
    const again = await this.#make(unit, lost);
    if (again.status === 'run') {
      this.#rebuilt.add(unitName(unit));
      this.request.reporter.info(`${unitName(unit)} was run again: files of its result were gone`);
    }
    if (manifestDigest(again.manifest) === manifestDigest(manifest)) return;
    throw stageError('STAGE_REBUILD_DIFFERS', {
      what: `${unitName(unit)} was run again, because its files are gone from the store, and gave other bytes than its stage.json names`,
      why: 'the stage.json comes from another machine or another version',
      evidence: { path: this.layout.manifest(unit.stage, unit.subject) },
      fix: `take the new result: npx nx run ${this.layout.model}:${unit.stage} --skip-nx-cache`,
    });
  }

  #stageInput(manifest: StageManifest): StageInput {
    return stageInput(manifest, this.#place.source, this.store);
  }

  async #runOnce(unit: Unit): Promise<UnitRun> {
    const [began, cpu, written] = [performance.now(), process.cpuUsage(), this.store.bytesWritten];
    // A run that finds everything needs no scratch folder, and would leave those of killed runs where they are.
    await (this.#tidied ??= this.store.removeAbandoned());
    const { result, memory } = await measureMemory(() => this.#make(unit));
    if (this.#inFolder) await writeFileAtomic(this.layout.manifest(unit.stage, unit.subject), encodeManifest(result.manifest));
    return { unit, ...result, seconds: (performance.now() - began) / 1000, cpuSeconds: cpuSecondsSince(cpu), peakRssBytes: memory.bytes, bytesWritten: this.store.bytesWritten - written };
  }

  /** @param lost files of the result that must be here, among them those that it has of others; absent: nothing reads them yet */
  #make(unit: Unit, lost?: readonly NamedFile[]): Promise<Produced> {
    return this.#place.observation.around({ level: 'unit', stage: unit.stage, name: unitName(unit) }, async (span) => {
      const read: { readonly unit: Unit; readonly manifest: StageManifest }[] = [];
      for (const input of inputsOf(this.lock, unit)) read.push({ unit: input, manifest: await this.#manifest(input) });
      const inputs = new Map(read.map((input) => [unitName(input.unit), this.#stageInput(input.manifest)]));
      const digests = new Set(lost?.map(({ sha256 }) => sha256));
      if (lost !== undefined) await this.#provide(read.map((input) => ({ ...input, files: namedFiles(input.manifest).filter(({ sha256 }) => digests.has(sha256)) })));
      const prepare = (): Promise<void> => this.#provide(read.map((input) => ({ ...input, files: neededFiles(unit.stage, input.manifest) })));
      return produceUnit({ ...this.#place, reporter: span.reporter(this.request.reporter) }, await keyedUnit(this.#place, unit, inputs), { inputs, whole: lost !== undefined, prepare });
    });
  }
}

/** A result that is about to be read, and which of its files. */
interface NeededInput {
  readonly unit: Unit;
  readonly manifest: StageManifest;
  readonly files: readonly NamedFile[];
}
