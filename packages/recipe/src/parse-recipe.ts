/** From the bytes of recipe.yaml to a checked recipe with its defaults; errors name the key, the line and the remedy. */
import { printable } from '@tundish/diagnostics';
import type { TundishError } from '@tundish/diagnostics';
import { checkDevice } from './check-device.js';
import { checkTechnique } from './check-technique.js';
import { recipeError } from './errors.js';
import type { KeyPath } from './key-position.js';
import type { RecipeFile } from './recipe-file.js';
import { schemaError } from './schema-error.js';
import { DEFAULT_CL } from './known-values.js';
import { recipeSchema } from './schema.js';
import type { Recipe } from './schema.js';
import { withNamedModel } from './model-recipes.js';
import { parseCheckpointReference, readsCalibration } from './source-reference.js';
import { parseYaml } from './yaml-document.js';
import type { YamlDocument } from './yaml-document.js';

/** Graphs are built one by one; more than this is a slip of the pen. */
const MAX_PAIRS = 64;

/**
 * @param bytes the content of recipe.yaml
 * @param path where it comes from, for messages
 * @throws RECIPE_* with line and column; see errors.ts
 */
export function parseRecipe(bytes: Uint8Array, path: string): RecipeFile {
  const document = parseYaml(bytes, path);
  checkMapping(document, path);
  const result = recipeSchema.safeParse(document.value);
  if (!result.success) throw schemaError(result.error.issues, document, path);
  const given = withNamedModel(result.data, document, path);
  const { graphs } = given;
  checkGraphs(given, document, path);
  checkWeightsOnly(given, document, path);
  checkSource(given, document, path);
  checkTechnique(given, document, path);
  checkEvaluate(given, document, path);
  checkImport(given, document, path);
  checkStages(given, document, path);
  checkDevice(given, document, path);
  const recipe: Recipe = { ...given, graphs: { ...graphs, ar: ascending(graphs.ar), ...(graphs.cl === undefined ? {} : { cl: ascending(graphs.cl) }) } };
  return { recipe, path, locate: (key) => document.locate(key), plain: () => ({ recipe, positions: document.positions() }) };
}

function checkMapping(document: YamlDocument, path: string): void {
  const { value } = document;
  const evidence = { path, line: 1, column: 1 };
  const fix = 'begin with: checkpoint: ./checkpoint';
  if (value === undefined) throw recipeError('RECIPE_EMPTY', { what: 'the recipe is empty', why: 'it must at least name a checkpoint', evidence, fix });
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw recipeError('RECIPE_NOT_A_MAPPING', { what: `the recipe must be a mapping, not ${Array.isArray(value) ? 'a list' : 'a single value'}`, why: 'options are written as key: value', evidence, fix });
}

function checkGraphs(recipe: Recipe, document: YamlDocument, path: string): void {
  const refuse = (key: KeyPath, what: string, fix: string): TundishError => recipeError('RECIPE_GRAPHS', { what, evidence: { path, ...document.locate(key) }, fix });
  const { ar, cl } = recipe.graphs;
  for (const [name, list] of [['ar', ar], ['cl', cl ?? []]] as const) {
    const repeated = list.findIndex((value, i) => list.indexOf(value) !== i);
    if (repeated >= 0) throw refuse(['graphs', name, repeated], `graphs.${name} names ${list[repeated]} twice`, 'remove one of them');
  }
  const longest = Math.max(...ar);
  const short = (cl ?? []).findIndex((length) => length <= longest);
  if (short >= 0) throw refuse(['graphs', 'cl', short], `graphs.cl ${cl?.[short]} is not above the largest ar, ${longest}: a context holds the tokens of a pass and at least one before them`, `write a cl above ${longest}, or a smaller ar`);
  const pairs = ar.length * (cl ?? DEFAULT_CL).length;
  if (pairs > MAX_PAIRS) throw refuse(['graphs'], `graphs asks for ${pairs} pairs of ar and cl, ${MAX_PAIRS} are allowed`, 'name fewer');
  if (parseCheckpointReference(recipe.checkpoint) === undefined) {
    throw recipeError('RECIPE_VALUE', {
      what: `checkpoint: ${printable(recipe.checkpoint, 80)} is neither a path nor a hub id`,
      evidence: { path, ...document.locate(['checkpoint']) },
      fix: 'write ./FOLDER for a folder beside the recipe, ./FILE.gguf for a file, or ORG/NAME for a repository of the hub',
    });
  }
}

function checkImport({ checkpoint }: Recipe, document: YamlDocument, path: string): void {
  if (!('import' in (document.value as object)) || parseCheckpointReference(checkpoint)?.kind === 'gguf') return;
  throw recipeError('RECIPE_VALUE', { what: 'import has no meaning for this checkpoint', why: 'only a GGUF file is imported; other checkpoints are read as they are', evidence: { path, ...document.locate(['import']) }, fix: 'remove import, or name a .gguf file in checkpoint' });
}

/** Options that weights alone do not read must not look as if they did something. */
function checkWeightsOnly({ quantize }: Recipe, document: YamlDocument, path: string): void {
  if (quantize === 'none' || quantize.activations !== 'none') return;
  const written = (document.value as { readonly quantize: object }).quantize;
  const unread = ['kvCache', ...(readsCalibration(quantize) ? [] : ['calibration'])].find((key) => key in written);
  if (unread === undefined) return;
  throw recipeError('RECIPE_VALUE', {
    what: `quantize.${unread} has no meaning with activations: none`,
    why: unread === 'kvCache' ? 'weights alone are quantized then: the cache stays in floating point' : 'weights alone are quantized then, and no technique reads text',
    evidence: { path, ...document.locate(['quantize', unread]) },
    fix: `remove ${unread}, or remove activations: none`,
  });
}

/** What is read beside `quantize.source`; everything else there chooses how weights and scales are made. */
const BESIDE_SOURCE: readonly string[] = ['source', 'embedding', 'activations', 'calibration'];

/** Scales that were made elsewhere are not made again, and weights of an ONNX file are taken as they are. */
function checkSource({ quantize, optimize, stages }: Recipe, document: YamlDocument, path: string): void {
  if (quantize === 'none' || quantize.source === undefined) return;
  const refuse = (key: KeyPath, what: string, why: string, fix: string): TundishError => recipeError('RECIPE_VALUE', { what: `${key.join('.').replace(/\.(\d+)$/, '[$1]')} ${what}`, why, evidence: { path, ...document.locate(key) }, fix });
  const written = (document.value as { readonly quantize: object }).quantize;
  const technique = Object.keys(written).find((key) => !BESIDE_SOURCE.includes(key));
  if (technique !== undefined) throw refuse(['quantize', technique], 'has no meaning with source', 'the scales of the source are taken as they are, and nothing is quantized again', `remove ${technique}, or remove source`);
  if (quantize.activations !== 'none' && 'calibration' in written && quantize.calibration.text === undefined) {
    throw refuse(['quantize', 'calibration'], 'names no text', 'with source only a text that is named is read, to measure what the encodings leave out', 'write quantize.calibration.text: PATH, or remove calibration');
  }
  if (quantize.activations !== 'none' && quantize.calibration.text === undefined && 'observer' in ((written as { readonly activations?: object }).activations ?? {})) {
    throw refuse(['quantize', 'activations', 'observer'], 'observes nothing', 'with source only a text that is named is read, to measure what the encodings leave out', 'write quantize.calibration.text: PATH, or remove observer');
  }
  if (quantize.source.onnx === undefined) return;
  const { foldNormGains, rotate: { r1, r2 } } = optimize;
  const rewrite: KeyPath | undefined = foldNormGains ? ['optimize', 'foldNormGains'] : r1 ? ['optimize', 'rotate', 'r1'] : r2 ? ['optimize', 'rotate', 'r2'] : undefined;
  const stage = stages.findIndex(({ after }) => after === 'load' || after === 'optimize');
  const key = rewrite ?? (stage >= 0 ? ['stages', stage] : undefined);
  if (key !== undefined) throw refuse(key, 'has no meaning with quantize.source.onnx', 'the weights of the ONNX file are taken as they are, so that no rewrite of those of the checkpoint is seen', 'remove it, or remove quantize.source.onnx');
}

/** A protocol other than `mini` says itself how long a window is. */
function checkEvaluate({ evaluate: { protocol } }: Recipe, document: YamlDocument, path: string): void {
  const { evaluate } = document.value as { readonly evaluate?: object };
  if (protocol === 'mini' || evaluate === undefined || !('windowLength' in evaluate)) return;
  throw recipeError('RECIPE_VALUE', {
    what: `evaluate.windowLength has no meaning with protocol: ${protocol}`,
    why: 'the protocol fixes its windows; only mini has a length to choose',
    evidence: { path, ...document.locate(['evaluate', 'windowLength']) },
    fix: 'remove windowLength, or remove protocol',
  });
}

/** `./file`, `../file`, `/file`; or `name`, `@scope/name`, either with a path behind it. */
const STAGE_MODULE = /^(\.{0,2}\/.+|(@[\w.-]+\/)?\w[\w.-]*(\/[\w./-]+)?)$/;

function checkStages({ stages }: Recipe, document: YamlDocument, path: string): void {
  const wrong = stages.findIndex(({ use }) => !STAGE_MODULE.test(use));
  if (wrong < 0) return;
  throw recipeError('RECIPE_VALUE', {
    what: `stages[${wrong}].use: ${printable(stages[wrong]?.use ?? '', 80)} is neither a path nor the name of a package`,
    evidence: { path, ...document.locate(['stages', wrong, 'use']) },
    fix: 'write ./FILE.ts for a file beside the recipe, or the name of an installed package',
  });
}

function ascending(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}
