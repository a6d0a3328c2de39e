/** package: the container: compiled parts, manifest, tokenizer and the configuration files that runtimes read. */
import type { Adaptation } from '@tundish/architectures';
import { type FileDigest, type GenieFacts, MANIFEST_FILE, composeManifest, flatSpecializations, genieConfig, genieObstacle, gridSpecializations, manifestText, metadata, namedSpecializations, toolVersionsYaml } from '@tundish/container';
import type { GraphIo, Toolchain } from '@tundish/toolchain';
import { type StageManifest, manifestDigest, sha256 } from '@tundish/store';
import { basename, join } from 'node:path';
import { stageError } from '../errors.js';
import { readJson } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { CARRIED_FILES } from '../key-inputs.js';
import { containerFolder } from '../layout.js';
import type { ModelFacts } from '../load/stage.js';
import { ADAPTATION_FILE, GRAPHS_FILE, MODEL_FILE } from '../stage-files.js';
import { MEDIA, type Stage, type StageContext, type StageFile, type StageInput, type StageRequest, type StageResult } from '../stage.js';
import { FLOAT16_MASK, FLOAT_MASK } from '@tundish/quantize';
import { generationDefaults, ropeScaling } from './defaults.js';

export interface PackageOptions {
  readonly model: string;
  readonly parts: Readonly<Record<string, { readonly part: number; readonly parts: number; readonly chip?: string | undefined }>>;
  readonly ar: readonly number[];
  readonly cl: readonly number[];
  readonly toolchain: { readonly name: string; readonly version: string };
  readonly generation: { readonly maxTokens: number };
  /** What the parts of each container were compiled with, by its folder: '' for the one of a model, else that of a chip. */
  readonly containers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The package section of the recipe. */
  readonly device: Readonly<Record<string, unknown>>;
}

type Request = StageRequest<PackageOptions>;

const TOKENIZER = 'tokenizer.json';
/** Of the sampler where nobody names one. */
const SEED = 42;

export const packageStage: Stage<PackageOptions> = {
  name: 'package',
  requires: ({ options }) => {
    if (Object.keys(options.parts).length === 0) throw stageError('STAGE_REQUIRES', { what: 'the lock file names no part', fix: 'write the lock again: npx nx g @tundish/nx:lock' });
  },
  run: packContainers,
  ensures: ({ files }) => {
    if (!files.some(({ name }) => name.endsWith(MANIFEST_FILE))) throw stageError('STAGE_ENSURES', { what: `package made no ${MANIFEST_FILE}` });
  },
};

/** A compiled part with the files that it adds to the container. */
interface PackedPart {
  readonly part: number;
  readonly graphs: readonly GraphIo[];
  /** Machine that the part was compiled for. */
  readonly machine: string;
  /** Operators beyond the standard that its graphs may have. */
  readonly operators: string;
  readonly files: readonly { readonly name: string; readonly path: string; readonly from: FileDigest }[];
}

async function packContainers(context: StageContext, request: Request): Promise<StageResult> {
  if (!request.source.has(TOKENIZER)) context.reporter.warn(`the checkpoint has no ${TOKENIZER}: the container takes token ids, no text`);
  const containers = await Promise.all(Object.keys(request.options.containers).map((folder) => packContainer(context, request, folder)));
  const files = containers.flat();
  return { files, facts: { bytes: files.reduce((sum, file) => sum + sizeOf(file, request), 0) } };
}

async function packContainer(context: StageContext, request: Request, folder: string): Promise<StageFile[]> {
  const facts = await readJson<ModelFacts>(requireInput(request, 'load'), MODEL_FILE);
  const { dims } = await readJson<Adaptation>(requireInput(request, 'load'), ADAPTATION_FILE);
  const { bundle } = context.adapters.toolchain(request.options.toolchain.name);
  const own = Object.entries(request.options.parts).filter(([, { chip }]) => containerFolder(chip, Object.keys(request.options.containers).length) === folder);
  const parts = await Promise.all(own.map(([name, { part, parts: count }]) => packPart(requireInput(request, `compile/${name}`), part, bundle === undefined ? `part_${part}_of_${count}/` : '')));
  const work: Packing = { request, facts, dims, parts, folder, others: new Set(Object.keys(request.options.parts).filter((name) => !own.some(([mine]) => mine === name))), carried: await carriedFiles(context, request) };
  const files: StageFile[] = [
    ...parts.flatMap((part) => part.files.map(({ path, from }): StageFile => ({ name: path, mediaType: MEDIA.weights, from }))),
    ...work.carried,
    ...(bundle === undefined ? configurationFiles(work) : await runtimeFiles(context, work, bundle)),
  ];
  return [...files, manifestFile(work, files)].map((file) => (folder === '' ? file : { ...file, name: `${folder}/${file.name}` }));
}

/** What the files of one container are made of. */
interface Packing {
  readonly request: Request;
  readonly facts: ModelFacts;
  readonly dims: Adaptation['dims'];
  readonly parts: readonly PackedPart[];
  readonly folder: string;
  /** Names of the parts of other containers. */
  readonly others: ReadonlySet<string>;
  /** Files of the checkpoint. */
  readonly carried: readonly StageFile[];
}

async function packPart(input: StageInput, part: number, prefix: string): Promise<PackedPart> {
  return {
    part,
    graphs: await readJson<GraphIo[]>(input, GRAPHS_FILE),
    machine: String(input.manifest.facts['machine']),
    operators: String(input.manifest.facts['operators']),
    files: input.manifest.outputs.filter(({ name }) => name !== GRAPHS_FILE).map(({ name, sha256: digest, size }) => ({ name, path: `${prefix}${name}`, from: { sha256: digest, size } })),
  };
}

async function carriedFiles(context: StageContext, request: Request): Promise<StageFile[]> {
  const folder = await context.checkpoint();
  return CARRIED_FILES.filter((name) => request.source.has(name)).map((name) => ({ name, mediaType: name.endsWith('.json') ? MEDIA.json : MEDIA.text, path: join(folder, name) }));
}

function configurationFiles(work: Packing): StageFile[] {
  const { request: { options, source }, parts } = work;
  const genie: GenieFacts = {
    ...checkpointFacts(work),
    contextLength: Math.max(...options.cl),
    generation: generationDefaults(work.facts, options.generation),
    seed: SEED,
    contextBinaries: parts.map(({ files }) => (files.find(({ name }) => /\.(bin|data)$/.test(name)) ?? files[0])?.path ?? ''),
    tokenizer: TOKENIZER,
  };
  const versions = toolVersions(work);
  const grid = gridSpecializations(options.ar, options.cl);
  return [
    // The format cannot say everything (yarn, no BOS, no tokenizer): such a container goes without; its manifest is complete.
    ...(genieObstacle(genie) === undefined && source.has(TOKENIZER) ? [json('genie_config.json', genieConfig(genie))] : []),
    json('specializations.json', namedSpecializations(grid)),
    json('specializations_flat.json', flatSpecializations(grid)),
    json('metadata.json', metadata({ modelId: options.model, precision: precisionOf(work.request), runtime: options.toolchain.name, toolVersions: versions, graphs: parts.flatMap(({ graphs }) => graphs) })),
    { name: 'tool-versions.yaml', mediaType: MEDIA.text, bytes: new TextEncoder().encode(toolVersionsYaml(versions)) },
  ];
}

/** What the target's own runtime reads; a model that its configuration cannot say is packed without. */
async function runtimeFiles({ reporter }: StageContext, work: Packing, bundle: NonNullable<Toolchain['bundle']>): Promise<StageFile[]> {
  const { request, parts, facts, folder, carried } = work;
  const { options, source } = request;
  const checkpoint = checkpointFacts(work);
  const obstacle = source.has(TOKENIZER) ? genieObstacle({ ...checkpoint, contextLength: Math.max(...options.cl), generation: generationDefaults(facts, options.generation), seed: SEED, contextBinaries: [], tokenizer: TOKENIZER }) : `the checkpoint has no ${TOKENIZER}`;
  if (obstacle !== undefined) {
    reporter.warn(`no bundle for the vendor's runtime: ${obstacle}`);
    return [];
  }
  const files = await bundle({
    model: options.model,
    precision: precisionOf(request),
    parts: parts.flatMap(({ graphs, files: own }) => own.map(({ path, from }) => ({ file: path, bytes: from.size, graphs }))),
    checkpoint,
    generation: generationDefaults(facts, options.generation),
    seed: SEED,
    carried: new Map(carried.map((file) => [file.name, sizeOf(file, request)])),
    tokenizer: TOKENIZER,
    toolVersions: toolVersions(work),
    compile: options.containers[folder] ?? {},
    options: options.device,
  });
  return files.map(({ path, bytes }) => ({ name: path, mediaType: path.endsWith('.json') ? MEDIA.json : MEDIA.text, bytes }));
}

function checkpointFacts({ facts, dims }: Packing): Pick<GenieFacts, 'vocabularySize' | 'headDim' | 'tokens' | 'rope'> {
  return { vocabularySize: facts.vocabularySize, headDim: dims.headDim, tokens: facts.tokens, rope: { theta: facts.ropeConfig.theta, rotaryDim: dims.headDim, scaling: ropeScaling(facts.ropeConfig) } };
}

function toolVersions({ request: { options } }: Packing): Readonly<Record<string, string>> {
  return { [options.toolchain.name]: options.toolchain.version };
}

function manifestFile({ request, facts, dims, parts, others }: Packing, files: readonly StageFile[]): StageFile {
  const { options } = request;
  const manifest = composeManifest({
    model: options.model,
    toolchain: { ...options.toolchain, machine: parts[0]?.machine ?? '', operators: parts[0]?.operators ?? '' },
    architecture: { modelType: facts.modelType, hiddenSize: dims.hidden, layers: dims.layers, heads: dims.heads, kvHeads: dims.kvHeads, headDim: dims.headDim, feedForwardSize: dims.ffn },
    vocabularySize: facts.vocabularySize,
    contextLengths: options.cl,
    ars: options.ar,
    parts: parts.map(({ part, graphs, files: own }) => ({ part, graphs, files: own.map(({ name, path }) => ({ name, path })) })),
    rope: facts.rope,
    maskValue: maskValueOf(request, parts),
    tokens: facts.tokens,
    generation: generationDefaults(facts, options.generation),
    provenance: Object.fromEntries([...request.inputs].filter(([unit]) => !others.has(unit.replace(/^compile\//, ''))).map(([unit, { manifest: made }]) => [unit, manifestDigest(made)])),
  }, new Map(files.map((file) => [file.name, digestOf(file, request)])));
  return { name: MANIFEST_FILE, mediaType: MEDIA.json, bytes: new TextEncoder().encode(manifestText(manifest)) };
}

function digestOf(file: StageFile, request: Request): FileDigest {
  if ('from' in file) return file.from;
  if ('bytes' in file) return { sha256: sha256(file.bytes), size: file.bytes.byteLength };
  // The name in a container of a chip has its folder in front.
  const pinned = request.source.get(basename(file.path));
  if (pinned === undefined) throw stageError('STAGE_SOURCE_CHANGED', { what: `the lock file does not pin ${file.name}`, fix: 'write the lock again: npx nx g @tundish/nx:lock' });
  return pinned;
}

function sizeOf(file: StageFile, request: Request): number {
  return digestOf(file, request).size;
}

function quantizeFacts(request: Request): StageManifest['facts'] {
  return requireInput(request, 'quantize').manifest.facts;
}

function precisionOf(request: Request): string {
  return String(quantizeFacts(request)['precision']);
}

function maskValueOf(request: Request, parts: readonly PackedPart[]): number {
  const value = quantizeFacts(request)['maskValue'];
  if (typeof value === 'number') return value;
  const mask = parts.flatMap(({ graphs }) => graphs).flatMap(({ inputs }) => inputs).find(({ name }) => name === 'attention_mask');
  return mask?.dtype === 'float16' ? FLOAT16_MASK : FLOAT_MASK;
}

function json(name: string, data: unknown): StageFile {
  return { name, mediaType: MEDIA.json, bytes: new TextEncoder().encode(`${JSON.stringify(data, null, 2)}\n`) };
}
