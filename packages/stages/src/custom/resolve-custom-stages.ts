/** The entries of `stages` in a recipe, as the lock pins them: name, options with the defaults of their schema, digest of the code. */
import { join } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import { STAGE_NAMES } from '@tundish/recipe/lock';
import type { CustomStagePin, Recipe, RecipeFile } from '@tundish/recipe/resolve';
import { canonicalJson, sha256 } from '@tundish/store';
import type { CodeDigests } from '../code/code-digests.js';
import { stageError } from '../errors.js';
import { readMemo, writeMemo } from '../memo-file.js';
import { type StageDescription, describeStages } from './describe-stages.js';
import { customModulePath } from './module-path.js';
import { customModules, userModules } from './stage-modules.js';

/** Targets and folders that surfaces give every model, and what every object has. */
const RESERVED: ReadonlySet<string> = new Set([...STAGE_NAMES, 'generate', 'chat', 'evaluate', 'serve', 'benchmark', 'report', 'deploy', 'cells', 'parts', 'constructor']);

export interface CustomStagesRequest {
  readonly file: RecipeFile;
  /** Folder of the model project. */
  readonly root: string;
  readonly cacheRoot: string;
  readonly code: CodeDigests;
  /** False leaves what is remembered in the cache as it is. */
  readonly remember: boolean;
}

/**
 * In the order of the recipe. Descriptions are remembered by the content of code and options: a command that changes nothing
 * loads no module.
 *
 * @throws STAGE_CUSTOM_* and STAGE_CODE with the line of the recipe
 */
export async function resolveCustomStages({ file, root, cacheRoot, code, remember }: CustomStagesRequest): Promise<CustomStagePin[]> {
  const { stages } = file.recipe;
  if (stages.length === 0) return [];
  const found: FoundStage[] = [];
  for (const [index, entry] of stages.entries()) {
    found.push(await locate(entry, root, code).catch((error: unknown) => {
      throw withLine(error, file, index);
    }));
  }
  const described = await describeAll(found, cacheRoot, remember);
  const pins: CustomStagePin[] = [];
  for (const [index, { entry, code: pin }] of found.entries()) {
    const description = described[index] as StageDescription | TundishError;
    if (description instanceof TundishError) throw withLine(description, file, index);
    checkName(description.name, pins, file, index);
    if (description.faults !== undefined) throw optionsError(description, file, index);
    const { name, options, ...about } = description;
    pins.push({ name, use: entry.use, after: entry.after, ...about, options, code: pin });
  }
  return pins;
}

/** An entry of the recipe with its module. */
interface FoundStage {
  readonly entry: Recipe['stages'][number];
  readonly path: string;
  /** What the lock pins: the code of the user. */
  readonly code: string;
  /** Digest of everything that the description depends on. */
  readonly key: string;
}

async function locate(entry: Recipe['stages'][number], root: string, code: CodeDigests): Promise<FoundStage> {
  const path = await customModulePath(entry.use, root);
  const key = sha256(canonicalJson({ code: await code.digest(customModules(path)), options: entry.options }));
  return { entry, path, code: await code.digest(userModules(path), 'named'), key };
}

function checkName(name: string, earlier: readonly CustomStagePin[], file: RecipeFile, index: number): void {
  const why = RESERVED.has(name) ? 'a stage, target or folder of every model has that name' : earlier.some((pin) => pin.name === name) ? 'an earlier entry of stages has that name' : undefined;
  if (why === undefined) return;
  throw stageError('STAGE_CUSTOM_NAME', { what: `stages[${index}] cannot be named ${name}`, why, evidence: { path: file.path, ...file.locate(['stages', index]) }, fix: 'change `name` in its module' });
}

/** The fault that stands first in the recipe. */
function optionsError({ name, faults }: StageDescription, file: RecipeFile, index: number): Error {
  const placed = (faults ?? []).map((fault) => ({ ...fault, at: file.locate(['stages', index, 'options', ...fault.key]) }));
  const [first] = placed.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  const key = first === undefined || first.key.length === 0 ? 'options' : `options.${first.key.join('.')}`;
  return stageError('STAGE_CUSTOM_OPTIONS', {
    what: `stages[${index}].${key} of ${name}: ${first?.message ?? 'not what its schema asks for'}`,
    evidence: { path: file.path, ...first?.at, ...(placed.length > 1 ? { detail: `and ${placed.length - 1} more in this file` } : {}) },
    fix: 'correct the recipe, or the schema in the module of the stage',
  });
}

/** A fault of a module is also one of the line that names it: both are said. */
function withLine(error: unknown, file: RecipeFile, index: number): unknown {
  if (!(error instanceof TundishError)) return error;
  const { path, line } = error.evidence;
  const module = path === undefined ? undefined : `${path}${line === undefined ? '' : `:${line}`}`;
  const evidence = { path: file.path, ...file.locate(['stages', index, 'use']), ...(module === undefined ? {} : { detail: `the module is ${module}` }) };
  return new TundishError(error.code, { what: error.what, ...(error.why === undefined ? {} : { why: error.why }), evidence, ...(error.fix === undefined ? {} : { fix: error.fix }), cause: error });
}

/** Descriptions from `custom-stages.json` in the cache, where they are remembered by `key`, or from the modules. */
async function describeAll(found: readonly FoundStage[], cacheRoot: string, remember: boolean): Promise<(StageDescription | TundishError)[]> {
  const path = join(cacheRoot, 'custom-stages.json');
  const known = readMemo<StageDescription>(path);
  const unknown = found.filter(({ key }) => !known.has(key));
  const answers = await describeStages(unknown.map(({ path: module, entry }) => ({ path: module, options: entry.options })));
  const fresh = new Map(unknown.map(({ key }, i) => [key, answers[i] as StageDescription | TundishError]));
  const kept = [...fresh].filter((pair): pair is [string, StageDescription] => !(pair[1] instanceof TundishError));
  if (remember && kept.length > 0) await writeMemo(path, [...known, ...kept]);
  return found.map(({ key }) => (known.get(key) ?? fresh.get(key)) as StageDescription | TundishError);
}
