/** From a recipe and the facts of its checkpoint to the lock: every default decided, every impossible wish refused. */
import type { BlobRef } from '@tundish/store';
import { chipsOf } from './check-device.js';
import { recipeError } from './errors.js';
import type { KeyPath } from './key-position.js';
import { LOCK_SCHEMA } from './lock.js';
import type { CustomStageLock, Lock, LockSource, LockStages, QuantizeOptions, SourceOptions } from './lock.js';
import { planCells, planParts } from './plan.js';
import type { GraphPlan } from './plan.js';
import type { RecipeFile } from './recipe-file.js';
import type { QuantizeSourcePins } from './quantize-source.js';
import { DEFAULT_CL, PREFERS_SINGLE_HEADS, type TextFormat } from './known-values.js';
import { checkContexts, resolveCompile, resolvePackage } from './resolve-device.js';
import { resolveWeights } from './resolve-weights.js';
import type { QuantizeRecipe, Recipe } from './schema.js';
import { calibrationText, evaluationText, readsCalibration, textFormat } from './source-reference.js';
import { needsInputs, resolveTechnique } from './technique.js';

/** A stage of the user's own, as its module describes itself. */
export type CustomStagePin = Omit<CustomStageLock, 'reads'> & { readonly name: string };

/** What the caller found out by reading files; resolving itself reads nothing. */
export interface ResolveRequest {
  readonly file: RecipeFile;
  /** Name of the model project. */
  readonly model: string;
  readonly source: LockSource;
  /** Digest of the file at `calibrationText(recipe)`; absent for a floating-point build. */
  readonly calibration?: BlobRef;
  /** Of the files that `quantize.source` names; absent when one of them is not there. */
  readonly quantizeSource?: QuantizeSourcePins;
  readonly maxPositionEmbeddings: number;
  /** Decoder blocks of the model. */
  readonly layers: number;
  /** Version of the toolchain that the recipe names, for example `onnxruntime 1.30.0`. */
  readonly toolchainVersion: string;
  /** The entries of `stages`, in the order of the recipe; names are unique. */
  readonly custom?: readonly CustomStagePin[];
}

/**
 * @throws RECIPE_DEVICE, RECIPE_CL_ABOVE_MODEL, RECIPE_PARTS_ABOVE_LAYERS, RECIPE_GRAPHS, RECIPE_CALIBRATION_MISSING, RECIPE_SMOOTHING, RECIPE_SCHEME, RECIPE_LAYER, RECIPE_SOURCE_MISSING with the line of the recipe
 */
export function resolveRecipe(request: ResolveRequest): Lock {
  const { recipe } = request.file;
  const plan = resolveGraphs(request);
  checkContexts(request.file, plan);
  const chips = chipsOf(recipe, request.file, request.file.path);
  const toolchain = { name: recipe.toolchain, version: request.toolchainVersion };
  return {
    schema: LOCK_SCHEMA,
    model: request.model,
    source: request.source,
    limits: { layers: request.layers, maxPositionEmbeddings: request.maxPositionEmbeddings },
    cells: Object.fromEntries(planCells(plan).map(({ name, ar, cl, part, parts }) => [name, { ar, cl, part, parts }])),
    parts: Object.fromEntries(planParts(plan, chips.map(({ name }) => name)).map(({ name, cells, ...part }) => [name, { ...part, cells: [...cells] }])),
    stages: {
      load: { options: {} },
      optimize: { options: resolveOptimize(recipe.optimize) },
      quantize: { options: resolveQuantize(request) },
      arcl: { options: { ar: [...plan.ar], cl: [...plan.cl] } },
      transform: { options: { mha2sha: singleHeads(recipe) } },
      convert: { options: resolveConvert(recipe), toolchain },
      compile: { options: resolveCompile(request.file), toolchain },
      package: { options: resolvePackage(request.file.recipe) },
    },
    ...customOf(request.custom ?? []),
    evaluate: resolveEvaluate(recipe),
    generation: recipe.generation,
    ...(recipe.observers.length === 0 ? {} : { observers: recipe.observers }),
  };
}

function resolveEvaluate(recipe: Recipe): Lock['evaluate'] {
  const { format, protocol, windowLength } = recipe.evaluate;
  const text = evaluationText(recipe) ?? null;
  const source = { text, ...formatOf(text, format) };
  return protocol === 'mini' ? { ...source, windowLength } : { ...source, protocol };
}

function formatOf(path: string | null, given: TextFormat | undefined): { format?: Exclude<TextFormat, 'text'> } {
  const format = textFormat(path ?? '', given);
  return format === 'text' ? {} : { format };
}

/** R1 needs norms without gains. The lock names rotations only where there are some, so that others are what they were. */
function resolveOptimize({ foldNormGains, rotate }: Recipe['optimize']): LockStages['optimize']['options'] {
  const rotates = rotate.r1 || rotate.r2 || rotate.r3;
  return { foldNormGains: foldNormGains || rotate.r1, ...(rotates ? { rotate } : {}) };
}

/** Defaults are absent, so that the locks of others are what they were. */
function resolveConvert({ convert: { numerics, rotaryEmbedding, precision } }: Recipe): LockStages['convert']['options'] {
  return { ...(numerics === 'htp' ? { numerics } : {}), ...(rotaryEmbedding === 'operation' ? { rotaryEmbedding } : {}), ...(precision === 'fp16' ? { precision } : {}) };
}

function customOf(pins: readonly CustomStagePin[]): Pick<Lock, 'custom'> {
  if (pins.length === 0) return {};
  const last = new Map<string, string>();
  const custom: Record<string, CustomStageLock> = {};
  for (const { name, ...pin } of pins) {
    custom[name] = { ...pin, reads: last.get(pin.after) ?? pin.after };
    last.set(pin.after, name);
  }
  return { custom };
}

function resolveGraphs(request: ResolveRequest): GraphPlan {
  const { graphs } = request.file.recipe;
  const { layers } = request;
  if (graphs.parts > layers) {
    throw recipeError('RECIPE_PARTS_ABOVE_LAYERS', {
      what: `graphs.parts is ${graphs.parts}, but the model has ${layers} layers`,
      why: 'each part holds at least one layer',
      evidence: evidenceOf(request.file, ['graphs', 'parts']),
      fix: `write parts: ${layers} or less`,
    });
  }
  return { ar: graphs.ar, cl: graphs.cl === undefined ? defaultCl(request) : checkedCl(request, graphs.cl), parts: graphs.parts };
}

function checkedCl(request: ResolveRequest, cl: readonly number[]): readonly number[] {
  const limit = request.maxPositionEmbeddings;
  const above = cl.filter((length) => length > limit);
  if (above.length === 0) return cl;
  throw recipeError('RECIPE_CL_ABOVE_MODEL', {
    what: `graphs.cl ${above.join(', ')}: the model has max_position_embeddings ${limit}`,
    why: 'positions beyond it were never trained and give no sensible text',
    evidence: evidenceOf(request.file, ['graphs', 'cl']),
    fix: `keep every cl at ${limit} or below`,
  });
}

/** The usual lengths that the model and the largest AR allow; a model shorter than all of them gets its own limit. */
function defaultCl(request: ResolveRequest): readonly number[] {
  const limit = request.maxPositionEmbeddings;
  const longestPass = Math.max(...request.file.recipe.graphs.ar);
  const usual = DEFAULT_CL.filter((length) => length <= limit && length > longestPass);
  if (usual.length > 0) return usual;
  if (limit > longestPass) return [limit];
  throw recipeError('RECIPE_GRAPHS', {
    what: `graphs.ar ${longestPass} leaves no context length below max_position_embeddings ${limit}`,
    why: 'a context holds the tokens of a pass and at least one before them',
    evidence: evidenceOf(request.file, ['graphs', 'ar']),
    fix: `write an ar below ${limit}`,
  });
}

function resolveQuantize(request: ResolveRequest): QuantizeOptions | SourceOptions | 'none' {
  const { quantize } = request.file.recipe;
  if (quantize === 'none') return 'none';
  if (quantize.source !== undefined) return resolveSource(request, quantize, quantize.source);
  const { lmHead, embedding, activations, kvCache } = quantize;
  const technique = resolveTechnique(quantize);
  if (technique.smoothing.method !== 'none' && request.file.recipe.optimize.rotate.r1) {
    throw recipeError('RECIPE_SMOOTHING', {
      what: 'quantize.smoothing cannot be combined with optimize.rotate.r1',
      why: 'the rotation spreads the loud channels over all of them, and none is left to be smoothed',
      evidence: evidenceOf(request.file, ['quantize', 'smoothing']),
      fix: 'leave out one of the two',
    });
  }
  const common = { technique, ...resolveWeights(request.file, quantize, technique, request.layers), lmHead, embedding };
  if (activations !== 'none') return { ...common, activations, kvCache: checkedCache(request, kvCache), calibration: resolveCalibration(request, quantize) };
  return needsInputs(technique) ? { ...common, activations, calibration: resolveCalibration(request, quantize) } : { ...common, activations };
}

/** A scale for each head needs a value for each head. */
function checkedCache({ file }: ResolveRequest, kvCache: QuantizeRecipe['kvCache']): QuantizeRecipe['kvCache'] {
  if (kvCache.granularity === 'tensor' || singleHeads(file.recipe)) return kvCache;
  throw recipeError('RECIPE_VALUE', {
    what: 'quantize.kvCache.granularity: head has no meaning without transform.mha2sha',
    why: 'all heads of a layer are one value then, and a value has one scale',
    evidence: evidenceOf(file, ['quantize', 'kvCache', 'granularity']),
    fix: 'add transform: { mha2sha: true }, or remove granularity',
  });
}

function singleHeads({ transform, toolchain, convert }: Recipe): boolean {
  return transform.mha2sha ?? (convert.numerics === 'htp' || PREFERS_SINGLE_HEADS[toolchain]);
}

function resolveSource(request: ResolveRequest, quantize: QuantizeRecipe, { encodings, onnx, names }: NonNullable<QuantizeRecipe['source']>): SourceOptions {
  const { embedding, activations } = quantize;
  const pins = request.quantizeSource;
  if (pins === undefined || (onnx !== undefined && pins.onnx === undefined)) {
    throw recipeError('RECIPE_SOURCE_MISSING', {
      what: `${pins === undefined ? encodings : onnx} was not found`,
      why: 'quantize.source names it, relative to the recipe',
      evidence: evidenceOf(request.file, ['quantize', 'source', pins === undefined ? 'encodings' : 'onnx']),
      fix: 'put the file there, or correct the path',
    });
  }
  return {
    source: {
      encodings: { ...pins.encodings, path: encodings },
      ...(onnx === undefined || pins.onnx === undefined ? {} : { onnx: { ...pins.onnx, path: onnx } }),
      ...(names === undefined || Object.keys(names).length === 0 ? {} : { names }),
    },
    embedding,
    activations,
    ...(readsCalibration(quantize) ? { calibration: resolveCalibration(request, quantize) } : {}),
  };
}

function resolveCalibration(request: ResolveRequest, { calibration: { windows, windowLength, format } }: QuantizeRecipe): NonNullable<QuantizeOptions['calibration']> {
  const text = calibrationText(request.file.recipe);
  if (text === undefined || request.calibration === undefined) {
    throw recipeError('RECIPE_CALIBRATION_MISSING', {
      what: 'a build that learns from text needs a calibration text',
      why: text === undefined ? 'a checkpoint of the hub brings none' : `${text} was not found`,
      evidence: evidenceOf(request.file, ['quantize', 'calibration', 'text']),
      fix: 'write quantize.calibration.text: PATH of a UTF-8 text file, or quantize: { activations: none, recipe: fast }, or quantize: none',
    });
  }
  return { sha256: request.calibration.sha256, size: request.calibration.size, text, ...formatOf(text, format), windows, windowLength };
}

function evidenceOf(file: RecipeFile, key: KeyPath): { path: string; line?: number; column?: number } {
  return { path: file.path, ...file.locate(key) };
}
