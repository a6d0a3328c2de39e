/** quantize: block by block, weights become codes and scales; activations get their encodings from the calibration text. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Adaptation } from '@tundish/architectures';
import { type Encodings, type Model, externalLocations } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { type Calibration, type GivenReport, type QuantizeResult, type WeightOptions, documentOf, quantizeModel, writeEncodings } from '@tundish/quantize';
import type { LockStages } from '@tundish/recipe/lock';
import { QUANTIZE_RECIPES } from '@tundish/recipe/technique';
import { convertArCl } from '@tundish/transform';
import { checkEncodings } from '../check-encodings.js';
import { stageError } from '../errors.js';
import { activationsFile, externalsOf, graphFile, jsonFile, readGraph, readJson } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import type { ModelFacts } from '../load/stage.js';
import { ropeTables } from '../rope-tables.js';
import { ADAPTATION_FILE, MODEL_FILE } from '../stage-files.js';
import { MEDIA, type Stage, type StageContext, type StageFile, type StageRequest, type StageResult } from '../stage.js';
import { BlockPieces } from './block-pieces.js';
import { type WindowPlan, calibrationWindows } from './calibration-windows.js';
import { givenScales } from './given-scales.js';

/** The quantize section of the lock; `'none'` builds in floating point. */
export type QuantizeOptions = LockStages['quantize']['options'];

/** Text and windows of a calibration. */
type CalibrationPlan = WindowPlan & { readonly text: string };

export const ENCODINGS_100 = 'encodings-1.0.0.json';
export const ENCODINGS_200 = 'encodings-2.0.0.json';
const REPORT = 'quantize-report.json';
/** Of a cache that has no encoding among those made elsewhere. */
const CACHE_BESIDE_SOURCE = { bits: 8, granularity: 'tensor' } as const;
/** Of projections whose scales were made elsewhere, in blocks that their file tells. */
const SOURCE_SCHEME = { scheme: 'lpbq', bits: 4, blockSize: 32 } as const;

export const quantize: Stage<QuantizeOptions> = {
  name: 'quantize',
  requires: (request) => void requireInput(request, 'optimize'),
  run: (context, request) => (request.options === 'none' ? passThrough(request) : quantizeBlocks(context, request, request.options)),
  ensures: ({ files }, { options }) => {
    if (options === 'none') return;
    for (const name of [ENCODINGS_100, ENCODINGS_200]) if (!files.some((file) => file.name === name)) throw stageError('STAGE_ENSURES', { what: `quantize made no ${name}` });
  },
};

async function passThrough(request: StageRequest<QuantizeOptions>): Promise<StageResult> {
  const input = requireInput(request, 'optimize');
  const model = await readGraph(input);
  return { files: [graphFile(model)], externals: externalsOf(model, input.manifest), facts: { precision: 'float' } };
}

async function quantizeBlocks(context: StageContext, request: StageRequest<QuantizeOptions>, options: Exclude<QuantizeOptions, 'none'>): Promise<StageResult> {
  const input = requireInput(request, 'optimize');
  const adaptation = await readJson<Adaptation>(requireInput(request, 'load'), ADAPTATION_FILE);
  const model = await readGraph(input);
  const given = 'source' in options ? await givenScales(context, request, options, model) : undefined;
  const plan = given?.model.report.missing.length === 0 ? undefined : options.calibration;
  if (plan === undefined && options.calibration !== undefined) context.reporter.warn('the encodings have every activation: the calibration text is not run');
  const calibration = plan === undefined ? undefined : await calibrationOf(context, request, plan, model, adaptation);
  const kernels = loadKernels();
  if (kernels.reason !== undefined) context.reporter.warn(`kernels in TypeScript, several times slower: ${kernels.reason}`);
  const blocks = new BlockPieces(context);
  const result = await quantizeModel({
    model,
    plan: { boundaries: [adaptation.embedding, ...adaptation.layers.map(({ hiddenOut }) => hiddenOut)] },
    weights: weightsOf(options),
    ...(given === undefined ? {} : { given }),
    activations: options.activations !== 'none',
    ...(options.activations === 'none' ? {} : { ranges: { observer: options.activations.observer, cache: 'source' in options ? CACHE_BESIDE_SOURCE : options.kvCache } }),
    kernels,
    ...(calibration === undefined ? {} : { calibration }),
    resolve: (location) => input.resolve(location),
    folder: context.scratch,
    blocks,
    threads: context.threads,
    signal: context.signal,
    reporter: context.reporter,
  });
  const foreign = externalLocations(result.model).find((location) => !result.files.has(location));
  if (foreign !== undefined) throw stageError('STAGE_ENSURES', { what: `the quantized graph still refers to ${foreign}`, why: 'a parameter of the checkpoint was not quantized' });
  checkEncodings(result.model.graph, result.encodings, context.reporter);
  const weights = [...result.files].map(([name, path]): StageFile => {
    const from = blocks.blobAt(path);
    return { name, mediaType: MEDIA.weights, ...(from === undefined ? { path } : { from }) };
  });
  const { activations, parameters } = result.encodings;
  return {
    files: [graphFile(result.model), ...(options.activations === 'none' ? [] : [activationsFile(activations)]), ...weights, ...(await encodingsFiles(context.scratch, result.encodings)), ...reportFile(result, given?.model.report)],
    facts: { precision: `w${'source' in options ? SOURCE_SCHEME.bits : options.weights.bits}${options.activations === 'none' ? '' : 'a16'}`, ...(result.maskValue === undefined ? {} : { maskValue: result.maskValue }), activations: activations.size, parameters: parameters.size },
  };
}

/** Where scales are given, neither a scheme nor a technique is read. */
function weightsOf(options: Exclude<QuantizeOptions, 'none'>): WeightOptions {
  const embeddingBits = options.embedding.bits;
  if ('source' in options) return { schemes: { scheme: SOURCE_SCHEME }, embeddingBits, technique: QUANTIZE_RECIPES.minmax };
  const { weights: scheme, overrides, mixedPrecision, technique } = options;
  return { schemes: { scheme, ...(overrides === undefined ? {} : { overrides }) }, embeddingBits, technique, ...(mixedPrecision === undefined ? {} : { mixedPrecision }) };
}

/** The calibration text through the checkpoint's tokenizer, and the graph that reads one window a pass. */
async function calibrationOf(context: StageContext, request: StageRequest<QuantizeOptions>, plan: CalibrationPlan, model: Model, { base }: Adaptation): Promise<Calibration> {
  const { rope, tokens } = await readJson<ModelFacts>(requireInput(request, 'load'), MODEL_FILE);
  const { windowLength } = plan;
  const windows = await calibrationWindows(await context.checkpoint(), context.projectFile(plan.text), tokens.bos, plan);
  return {
    model: convertArCl(model, base, { ar: windowLength, cl: windowLength + 1 }),
    inputs: { windows, ...ropeTables(rope, 0, windowLength), attentionScaling: rope.attentionScaling },
    executor: context.adapters.reference(),
  };
}

/** What techniques did to each layer, which were raised, how many bits each cache got where data decided it, what was taken of a model made elsewhere; no file without any. */
function reportFile({ layers, raised, caches }: Pick<QuantizeResult, 'layers' | 'raised' | 'caches'>, source: GivenReport | undefined): StageFile[] {
  const report = {
    ...(layers.length === 0 ? {} : { layers }),
    ...(raised === undefined ? {} : { raised }),
    ...(caches.size === 0 ? {} : { caches: [...caches].map(([name, decision]) => ({ name, ...decision })) }),
    ...(source === undefined ? {} : { source }),
  };
  return Object.keys(report).length === 0 ? [] : [jsonFile(REPORT, report)];
}

async function encodingsFiles(folder: string, encodings: Encodings): Promise<StageFile[]> {
  const files: StageFile[] = [];
  const document = documentOf(encodings);
  for (const [name, version] of [[ENCODINGS_100, '1.0.0'], [ENCODINGS_200, '2.0.0']] as const) {
    const path = join(folder, name);
    await pipeline(Readable.from(writeEncodings(document, version)), createWriteStream(path));
    files.push({ name, mediaType: MEDIA.json, path });
  }
  return files;
}
