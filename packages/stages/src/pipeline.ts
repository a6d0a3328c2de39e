/**
 * Runs units of work: exact key, action cache, stage, publication. The same code serves Nx executors, which find earlier
 * results in their stage.json, and programs, which have them made.
 */
import { readFile } from 'node:fs/promises';
import type { Reporter } from '@tundish/diagnostics';
import { type Lock, parseLock } from '@tundish/recipe/lock';
import { type ActionCache, type StageManifest, type Store, actionKey, diskError, encodeManifest, manifestDigest, openActionCache, openStore, readManifest, writeFileAtomic } from '@tundish/store';
import type { ToolchainIdentity } from '@tundish/toolchain';
import { CodeDigests } from './code/code-digests.js';
import { stageError } from './errors.js';
import { keyInputs, upstreamDigests } from './key-inputs.js';
import { type ModelLayout, modelLayout } from './layout.js';
import { type Unit, inputsOf, unitName } from './plan.js';
import { type PieceCount, Pieces } from './pieces.js';
import { publishResult } from './publish.js';
import { Source } from './source.js';
import type { Adapters, Stage, StageContext, StageInput, StageRequest, StageResult } from './stage.js';
import { stageOf } from './registry.js';
import { unitOptions } from './unit-options.js';

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
  readonly inputsInPlace: boolean;
}

/** What became of one unit. */
export interface UnitRun {
  readonly unit: Unit;
  readonly status: 'run' | 'cached';
  readonly seconds: number;
  /** Bytes of new content that went to disk. */
  readonly bytesWritten: number;
  readonly manifest: StageManifest;
  /** Of a unit that ran in pieces with keys of their own. */
  readonly pieces?: PieceCount;
}

/** A result in the store, and whether it was there. */
type Produced = Pick<UnitRun, 'status' | 'manifest' | 'pieces'>;

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
  #tidied: Promise<void> | undefined;

  private constructor(private readonly request: PipelineRequest, layout: ModelLayout, lock: Lock) {
    this.layout = layout;
    this.lock = lock;
    this.store = openStore(request.cacheRoot);
    this.#cache = openActionCache(this.store, layout.model);
    this.#source = new Source(request, layout, lock);
    this.#code = new CodeDigests(request.cacheRoot);
  }

  /** @throws STAGE_LOCK_MISSING and the errors of `parseLock` */
  static async open(request: PipelineRequest): Promise<Pipeline> {
    const layout = modelLayout(request.workspaceRoot, request.modelRoot);
    const bytes = await readFile(layout.lock).catch((cause: unknown) => {
      throw stageError('STAGE_LOCK_MISSING', { what: `${layout.model} has no recipe.lock.json`, evidence: { path: layout.lock }, fix: 'write it from the recipe: npx nx g @tundish/nx:lock', cause });
    });
    return new Pipeline(request, layout, parseLock(bytes, layout.lock));
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
    const manifest = this.request.inputsInPlace ? await this.#inPlace(unit) : (await this.run(unit)).manifest;
    if (manifest.externals.some((external) => this.#source.holds(external))) await this.#source.locate();
    return this.#stageInput(manifest);
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
    const output = (name: string): StageManifest['outputs'][number] | undefined => manifest.outputs.find((file) => file.name === name);
    return {
      manifest,
      path: (name) => {
        const file = output(name);
        if (file === undefined) throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `${manifest.stage} made no ${name}` });
        return this.store.pathOf(file);
      },
      resolve: (location) => {
        const file = output(location) ?? manifest.externals.find((external) => external.location === location);
        if (file === undefined) throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `${manifest.stage} refers to no file ${location}` });
        return this.#source.pathOf(location, file) ?? this.store.pathOf(file);
      },
    };
  }

  async #runOnce(unit: Unit): Promise<UnitRun> {
    const began = performance.now();
    const written = this.store.bytesWritten;
    // A run that finds everything needs no scratch folder, and would leave those of killed runs where they are.
    await (this.#tidied ??= this.store.removeAbandoned());
    const result = await this.#make(unit);
    await writeFileAtomic(this.layout.manifest(unit.stage, unit.subject), encodeManifest(result.manifest));
    return { unit, ...result, seconds: (performance.now() - began) / 1000, bytesWritten: this.store.bytesWritten - written };
  }

  async #make(unit: Unit): Promise<Produced> {
    const inputs = new Map<string, StageInput>();
    for (const input of inputsOf(this.lock, unit)) inputs.set(unitName(input), await this.input(input));
    return this.#produce(unit, inputs);
  }

  async #produce(unit: Unit, inputs: ReadonlyMap<string, StageInput>): Promise<Produced> {
    const request: StageRequest<unknown> = {
      options: unitOptions(this.lock, unit),
      subject: unit.subject,
      inputs,
      source: this.#source.files,
      toolchain: await this.#toolchain(unit),
    };
    const keyed = await keyInputs(unit.stage, request, { adapters: this.request.adapters, code: this.#code, toolchainName: this.lock.stages.convert.toolchain.name });
    const { key, fields } = actionKey(keyed);
    const found = await this.#cache.lookup(unit.stage, key);
    if (found !== undefined) return { status: 'cached', manifest: found };
    const stage = await stageOf(unit.stage);
    stage.requires(request);
    const source = sourceOf(inputs, this.lock);
    const pieces = new Pieces({ store: this.store, cache: this.#cache, by: keyed, source });
    const began = performance.now();
    const createdAt = new Date().toISOString();
    const manifest = await this.store.withScratch(async (scratch) => {
      const result = await this.#runStage(stage, request, scratch, pieces);
      return publishResult(this.store, { name: stage.name, subject: unit.subject, result, scratch, reporter: this.request.reporter });
    });
    const published = await this.#cache.publish(unit.stage, key, {
      manifest,
      info: {
        source,
        config: fields,
        createdAt,
        ...(request.toolchain === undefined ? {} : { tool: request.toolchain }),
        inputs: upstreamDigests(inputs),
        wallSeconds: (performance.now() - began) / 1000,
        peakRssBytes: process.resourceUsage().maxRSS * 1024,
      },
    });
    return { status: 'run', manifest: published, ...(pieces.count.total === 0 ? {} : { pieces: pieces.count }) };
  }

  async #runStage(stage: Stage<unknown>, request: StageRequest<unknown>, scratch: string, pieces: Pieces): Promise<StageResult> {
    const { signal, reporter, adapters, threads } = this.request;
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
    if (identity.version === pin.version) return identity;
    throw stageError('STAGE_TOOL_DIFFERS', {
      what: `${this.layout.model} is pinned to ${pin.name} ${pin.version}; installed is ${identity.version}`,
      evidence: { path: this.layout.lock },
      fix: 'install the pinned version, or write the lock again: npx nx g @tundish/nx:lock',
    });
  }
}

function sourceOf(inputs: ReadonlyMap<string, StageInput>, lock: Lock): string {
  return [...inputs.keys()].at(-1) ?? lock.source.location;
}
