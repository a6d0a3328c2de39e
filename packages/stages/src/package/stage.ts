/** package: the container: compiled parts, manifest, tokenizer and the configuration files that runtimes read. */
import type { Adaptation } from '@tundish/architectures';
import { type FileDigest, type GenieFacts, MANIFEST_FILE, composeManifest, flatSpecializations, genieConfig, genieObstacle, gridSpecializations, manifestText, metadata, namedSpecializations, toolVersionsYaml } from '@tundish/container';
import type { GraphIo } from '@tundish/toolchain';
import { type StageManifest, manifestDigest, sha256 } from '@tundish/store';
import { join } from 'node:path';
import { stageError } from '../errors.js';
import { readJson } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { CARRIED_FILES } from '../key-inputs.js';
import type { ModelFacts } from '../load/stage.js';
import { ADAPTATION_FILE, GRAPHS_FILE, MODEL_FILE } from '../stage-files.js';
import { MEDIA, type Stage, type StageContext, type StageFile, type StageInput, type StageRequest, type StageResult } from '../stage.js';
import { FLOAT_MASK } from '@tundish/quantize';
import { generationDefaults, ropeScaling } from './defaults.js';

export interface PackageOptions {
  readonly model: string;
  readonly parts: Readonly<Record<string, { readonly part: number; readonly parts: number }>>;
  readonly ar: readonly number[];
  readonly cl: readonly number[];
  readonly toolchain: { readonly name: string; readonly version: string };
  readonly generation: { readonly maxTokens: number };
}

type Request = StageRequest<PackageOptions>;

const TOKENIZER = 'tokenizer.json';

export const packageStage: Stage<PackageOptions> = {
  name: 'package',
  requires: ({ options }) => {
    if (Object.keys(options.parts).length === 0) throw stageError('STAGE_REQUIRES', { what: 'the lock file names no part', fix: 'write the lock again: npx nx g @tundish/nx:lock' });
  },
  run: packContainer,
  ensures: ({ files }) => {
    if (!files.some((file) => file.name === MANIFEST_FILE)) throw stageError('STAGE_ENSURES', { what: `package made no ${MANIFEST_FILE}` });
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

async function packContainer(context: StageContext, request: Request): Promise<StageResult> {
  const { options } = request;
  if (!request.source.has(TOKENIZER)) context.reporter.warn(`the checkpoint has no ${TOKENIZER}: the container takes token ids, no text`);
  const facts = await readJson<ModelFacts>(requireInput(request, 'load'), MODEL_FILE);
  const parts = await Promise.all(Object.entries(options.parts).map(([name, { part, parts: count }]) => packPart(requireInput(request, `compile/${name}`), part, count)));
  const files: StageFile[] = [
    ...parts.flatMap((part) => part.files.map(({ path, from }): StageFile => ({ name: path, mediaType: MEDIA.weights, from }))),
    ...(await carriedFiles(context, request)),
    ...configurationFiles(request, facts, await readJson<Adaptation>(requireInput(request, 'load'), ADAPTATION_FILE), parts, precisionOf(request)),
  ];
  return { files: [...files, await manifestFile(request, facts, parts, files)], facts: { bytes: files.reduce((sum, file) => sum + sizeOf(file, request), 0) } };
}

async function packPart(input: StageInput, part: number, parts: number): Promise<PackedPart> {
  const folder = `part_${part}_of_${parts}`;
  return {
    part,
    graphs: await readJson<GraphIo[]>(input, GRAPHS_FILE),
    machine: String(input.manifest.facts['machine']),
    operators: String(input.manifest.facts['operators']),
    files: input.manifest.outputs.filter(({ name }) => name !== GRAPHS_FILE).map(({ name, sha256: digest, size }) => ({ name, path: `${folder}/${name}`, from: { sha256: digest, size } })),
  };
}

async function carriedFiles(context: StageContext, request: Request): Promise<StageFile[]> {
  const folder = await context.checkpoint();
  return CARRIED_FILES.filter((name) => request.source.has(name)).map((name) => ({ name, mediaType: name.endsWith('.json') ? MEDIA.json : MEDIA.text, path: join(folder, name) }));
}

function configurationFiles(request: Request, facts: ModelFacts, { dims }: Adaptation, parts: readonly PackedPart[], precision: string): StageFile[] {
  const { options } = request;
  const genie: GenieFacts = {
    contextLength: Math.max(...options.cl),
    vocabularySize: facts.vocabularySize,
    headDim: dims.headDim,
    tokens: facts.tokens,
    rope: { theta: facts.ropeConfig.theta, rotaryDim: dims.headDim, scaling: ropeScaling(facts.ropeConfig) },
    generation: generationDefaults(facts, options.generation),
    seed: 42,
    contextBinaries: parts.map(({ files }) => (files.find(({ name }) => /\.(bin|data)$/.test(name)) ?? files[0])?.path ?? ''),
    tokenizer: TOKENIZER,
  };
  const versions = { [options.toolchain.name]: options.toolchain.version };
  const grid = gridSpecializations(options.ar, options.cl);
  return [
    // The format cannot say everything (yarn, no BOS, no tokenizer): such a container goes without; its manifest is complete.
    ...(genieObstacle(genie) === undefined && request.source.has(TOKENIZER) ? [json('genie_config.json', genieConfig(genie))] : []),
    json('specializations.json', namedSpecializations(grid)),
    json('specializations_flat.json', flatSpecializations(grid)),
    json('metadata.json', metadata({ modelId: options.model, precision, runtime: options.toolchain.name, toolVersions: versions, graphs: parts.flatMap(({ graphs }) => graphs) })),
    { name: 'tool-versions.yaml', mediaType: MEDIA.text, bytes: new TextEncoder().encode(toolVersionsYaml(versions)) },
  ];
}

async function manifestFile(request: Request, facts: ModelFacts, parts: readonly PackedPart[], files: readonly StageFile[]): Promise<StageFile> {
  const { options } = request;
  const { dims } = await readJson<Adaptation>(requireInput(request, 'load'), ADAPTATION_FILE);
  const manifest = composeManifest({
    model: options.model,
    toolchain: { ...options.toolchain, machine: parts[0]?.machine ?? '', operators: parts[0]?.operators ?? '' },
    architecture: { modelType: facts.modelType, hiddenSize: dims.hidden, layers: dims.layers, heads: dims.heads, kvHeads: dims.kvHeads, headDim: dims.headDim, feedForwardSize: dims.ffn },
    vocabularySize: facts.vocabularySize,
    contextLengths: options.cl,
    ars: options.ar,
    parts: parts.map(({ part, graphs, files: own }) => ({ part, graphs, files: own.map(({ name, path }) => ({ name, path })) })),
    rope: facts.rope,
    maskValue: maskValueOf(request),
    tokens: facts.tokens,
    generation: generationDefaults(facts, options.generation),
    provenance: Object.fromEntries([...request.inputs].map(([unit, { manifest: made }]) => [unit, manifestDigest(made)])),
  }, new Map(files.map((file) => [file.name, digestOf(file, request)])));
  return { name: MANIFEST_FILE, mediaType: MEDIA.json, bytes: new TextEncoder().encode(manifestText(manifest)) };
}

function digestOf(file: StageFile, request: Request): FileDigest {
  if ('from' in file) return file.from;
  if ('bytes' in file) return { sha256: sha256(file.bytes), size: file.bytes.byteLength };
  const pinned = request.source.get(file.name);
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

function maskValueOf(request: Request): number {
  const value = quantizeFacts(request)['maskValue'];
  return typeof value === 'number' ? value : FLOAT_MASK;
}

function json(name: string, data: unknown): StageFile {
  return { name, mediaType: MEDIA.json, bytes: new TextEncoder().encode(`${JSON.stringify(data, null, 2)}\n`) };
}
