/** Runs the stage of one cache entry again, from its sidecar, and holds what comes out against what the entry has. */
import { readFileSync } from 'node:fs';
import { mkdtemp, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { STAGE_NAMES } from '@tundish/recipe/lock';
import { type BlobRef, MANIFEST_FILE, MANIFEST_SCHEMA, type Sidecar, type StageManifest, type Store, actionKey, decodeManifest, diskError, entryFolders, leafDifferences, manifestDigest, openStore, readSidecar, sha256, sha256File } from '@tundish/store';
import { CodeDigests } from '../code/code-digests.js';
import { stageError } from '../errors.js';
import { type KeyContext, keyInputs } from '../key-inputs.js';
import type { PipelineRequest } from '../pipeline-request.js';
import { customStageOf, isBuiltIn, roleOf } from '../plan.js';
import { Source } from '../source.js';
import type { Piece, Stage, StageContext, StageFile, StageInput, StageRequest, StageResult } from '../stage.js';
import { stageInput } from '../stage-input.js';
import { unitStage } from '../unit-stage.js';
import type { ReplayRequest } from './request.js';
import { requireFree, saveResult } from './save-result.js';

export interface ReplayEntryRequest extends Pick<PipelineRequest, 'hubCache' | 'hub' | 'adapters' | 'reporter' | 'signal' | 'threads'> {
  /** `<cache root>/<model>/<operation>_<32 hex>`. */
  readonly entry: string;
  /** Absolute folder of the model project: the checkpoint and the texts that the stage reads may be relative to it. */
  readonly modelFolder: string;
  /** Where what came out is put, with its stage.json; must not exist. Absent: nowhere. */
  readonly save?: string;
}

/** One file of the stage: what the entry has, and what came out now; null where there is none. */
export interface ReplayedOutput {
  readonly name: string;
  readonly expected: string | null;
  readonly found: string | null;
  readonly equal: boolean;
}

export interface ReplayReport {
  readonly stage: string;
  readonly subject: string | null;
  /** Sorted by name. */
  readonly outputs: readonly ReplayedOutput[];
  /** Whether facts and references to files of others are the same too. */
  readonly manifestEqual: boolean;
  /** Fields of the key that are not as they were when the entry was made: code, tool, numeric profile. */
  readonly changed: readonly string[];
  readonly seconds: number;
}

/**
 * The cache is read and nothing of it is written: the stage works in a scratch folder on the same disk, which is removed.
 *
 * @throws STORE_SIDECAR_INVALID, STAGE_REPLAY_IMPOSSIBLE, STAGE_REPLAY_FOLDER, STAGE_INPUT_MISSING, STAGE_SOURCE_CHANGED and the errors of the stage
 */
export async function replayEntry(request: ReplayEntryRequest): Promise<ReplayReport> {
  const entry = resolve(request.entry);
  if (request.save !== undefined) requireFree(request.save);
  const sidecar = readSidecar(entry);
  const file = join(entry, MANIFEST_FILE);
  const manifest = decodeManifest(readFileSync(file), file);
  const [name, recorded] = replayable(entry, sidecar);
  const cacheRoot = dirname(dirname(entry));
  const store = openStore(cacheRoot);
  const source = new Source({ ...request, cacheRoot, remember: false }, { root: request.modelFolder }, { source: recorded.checkpoint });
  const toolchain = sidecar.tool === null ? undefined : await request.adapters.toolchain(sidecar.tool.name).identity();
  const inputs = await inputsOf(sidecar, entry, recorded, source, store);
  const stageRequest: StageRequest<unknown> = { options: recorded.options, subject: recorded.subject, inputs, source: source.files, toolchain };
  const [{ adapters }, code] = [request, new CodeDigests(cacheRoot, false)];
  const { modules, load } = await unitStage({ stage: name, subject: recorded.subject }, { custom: recorded.custom, toolchainName: sidecar.tool?.name ?? packedFor(recorded.options), root: request.modelFolder, adapters, code });
  const changed = await changesOf(name, sidecar, stageRequest, { adapters, code, modules });
  const began = performance.now();
  const made = await store.withScratch(async (scratch) => {
    const pieces = new Map<string, string>();
    const result = await runIn({ scratch, pieces }, await load(), stageRequest, request, source);
    const now = await manifestOf(result, name, recorded.subject, request.signal);
    if (request.save !== undefined) await saveResult(request.save, result.files, now, (ref) => pieces.get(ref.sha256) ?? store.pathOf(ref));
    return now;
  });
  return {
    stage: name, subject: recorded.subject,
    outputs: compareOutputs(manifest, made),
    manifestEqual: manifestDigest(made) === manifestDigest(manifest),
    changed,
    seconds: (performance.now() - began) / 1000,
  };
}

/** Package calls the toolchain and depends on none that is installed: its options name it. Other stages without a tool need no name. */
function packedFor(options: unknown): string {
  return (options as { readonly toolchain?: { readonly name?: string } } | null)?.toolchain?.name ?? '';
}

function replayable(entry: string, { operation: name, request }: Sidecar): [string, ReplayRequest] {
  const custom = (request as Partial<ReplayRequest> | null)?.custom;
  if (!isBuiltIn(name) && customStageOf({ custom }, name) === undefined) throw stageError('STAGE_REPLAY_IMPOSSIBLE', { what: `${name} is no stage`, why: `stages are ${[...STAGE_NAMES, ...Object.keys(custom ?? {})].join(', ')}`, evidence: { path: entry }, fix: 'replay the entry of the stage that it is a part of' });
  if (typeof request === 'object' && request !== null && 'options' in request && 'checkpoint' in request) return [name, request as unknown as ReplayRequest];
  throw stageError('STAGE_REPLAY_IMPOSSIBLE', { what: 'builder_cache_info.json does not say with which options the stage ran', why: 'the entry was made by an older version', evidence: { path: entry }, fix: `delete the folder and build again: npx nx run ${basename(dirname(entry))}:${name}` });
}

/** The results that the stage read, found in the cache by the digests of their manifests. */
async function inputsOf(sidecar: Sidecar, entry: string, recorded: ReplayRequest, source: Source, store: Store): Promise<Map<string, StageInput>> {
  const model = basename(dirname(entry));
  const inputs = new Map<string, StageInput>();
  for (const [unit, digest] of Object.entries(sidecar.inputs)) {
    const stage = unit.split('/', 1)[0] as string;
    const found = entryFolders(store.root, model, stage).find(({ path }) => manifestDigestOf(path) === digest);
    if (found === undefined) {
      throw stageError('STAGE_INPUT_MISSING', { what: `the result of ${unit} that this entry was made from is not in the cache`, why: `no entry of ${stage} has a stage.json with digest ${digest.slice(0, 16)}…`, evidence: { path: dirname(entry) }, fix: 'build the model as it was then, or choose a newer entry' });
    }
    const file = join(found.path, MANIFEST_FILE);
    const manifest = decodeManifest(readFileSync(file), file);
    if (manifest.externals.some((external) => source.holds(external))) await source.locate();
    inputs.set(roleOf(recorded, unit), stageInput(manifest, source, store));
  }
  return inputs;
}

function manifestDigestOf(entry: string): string | undefined {
  try {
    return readSidecar(entry).manifest;
  } catch {
    // A damaged entry is no result.
    return undefined;
  }
}

/** Where a stage works, and by its sha256 each file of a piece that it made there. */
interface Scratch {
  readonly scratch: string;
  readonly pieces: Map<string, string>;
}

async function runIn({ scratch, pieces }: Scratch, stage: Stage<unknown>, request: StageRequest<unknown>, { signal, reporter, adapters, threads }: ReplayEntryRequest, source: Source): Promise<StageResult> {
  const context: StageContext = { signal, reporter, adapters, threads, scratch, checkpoint: () => source.folder(), projectFile: (relative) => source.projectFile(relative), piece: (_, make) => freshPiece({ scratch, pieces }, make, signal) };
  stage.requires(request);
  const result = await stage.run(context, request).catch((error: unknown) => {
    throw diskError(error, `run ${stage.name}`, scratch);
  });
  stage.ensures(result, request);
  return result;
}

/** Pieces are made anew: a piece out of the cache would be compared with itself. */
async function freshPiece({ scratch, pieces }: Scratch, make: (scratch: string) => Promise<readonly StageFile[]>, signal: AbortSignal): Promise<Piece> {
  const folder = await mkdtemp(join(scratch, 'piece-'));
  const files = new Map<string, BlobRef & { readonly path: string }>();
  const fileNamed = (name: string): BlobRef & { readonly path: string } => files.get(name) as BlobRef & { readonly path: string };
  for (const file of await make(folder)) {
    const path = 'path' in file ? file.path : join(folder, file.name);
    if ('bytes' in file) await writeFile(path, file.bytes);
    const ref = await refOf(file, signal);
    pieces.set(ref.sha256, path);
    files.set(file.name, { path, ...ref });
  }
  return { ref: fileNamed, path: (name) => Promise.resolve(fileNamed(name).path) };
}

/** The manifest that a build would publish. */
async function manifestOf({ files, externals, facts }: StageResult, stage: string, subject: string | null, signal: AbortSignal): Promise<StageManifest> {
  const outputs: StageManifest['outputs'][number][] = [];
  for (const file of files) outputs.push({ name: file.name, mediaType: file.mediaType, ...(await refOf(file, signal)) });
  return { schema: MANIFEST_SCHEMA, stage, subject, outputs, externals: externals ?? [], facts: facts ?? {} };
}

async function refOf(file: StageFile, signal: AbortSignal): Promise<BlobRef> {
  if ('from' in file) return { sha256: file.from.sha256, size: file.from.size };
  if ('bytes' in file) return { sha256: sha256(file.bytes), size: file.bytes.byteLength };
  return { sha256: await sha256File(file.path, signal), size: (await stat(file.path)).size };
}

function compareOutputs(before: StageManifest, after: StageManifest): ReplayedOutput[] {
  const digests = ({ outputs }: StageManifest): Map<string, string> => new Map(outputs.map((output) => [output.name, output.sha256]));
  const [expected, found] = [digests(before), digests(after)];
  return [...new Set([...expected.keys(), ...found.keys()])].sort().map((name) => {
    const [was, is] = [expected.get(name) ?? null, found.get(name) ?? null];
    return { name, expected: was, found: is, equal: was === is };
  });
}

/** The fields of the key that are not as they were: code, toolchain, machine. A build would not use the entry any more. */
async function changesOf(stage: string, { config }: Sidecar, request: StageRequest<unknown>, context: KeyContext): Promise<string[]> {
  const { fields } = actionKey(await keyInputs(stage, request, context));
  const differences = leafDifferences(new Map(Object.entries(config)), new Map(Object.entries(fields)));
  return differences.map(({ path, before, after }) => `${path}: ${before ?? 'absent'} -> ${after ?? 'absent'}`);
}
