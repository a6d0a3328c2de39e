/** A custom stage behind the interface of the pipeline: its result must be a graph whose weights can be found. */
import { readFile, stat } from 'node:fs/promises';
import { TundishError, messageOf, printable } from '@tundish/diagnostics';
import { type Model, decodeModel } from '@tundish/graph';
import type { StageManifest } from '@tundish/store';
import { stageError } from '../errors.js';
import { GRAPH_FILE } from '../graph-files.js';
import { MEDIA, type Stage, type StageContext, type StageFile, type StageInput, type StageRequest, type StageResult } from '../stage.js';
import type { CustomRequest, CustomResult, CustomStage } from './define-stage.js';

/** @param path of its module, for messages */
export function pipelineStage(stage: CustomStage, path: string): Stage<unknown> {
  return {
    name: stage.name,
    requires: (request) => guarded(stage, path, () => stage.requires?.(customRequest(request))),
    run: async (context, request) => completed(await runGuarded(stage, path, context, request), onlyInput(request), path),
    // What it promises is asked before its result is completed, in `run`.
    ensures: () => undefined,
  };
}

async function runGuarded(stage: CustomStage, path: string, { signal, reporter, scratch, threads }: StageContext, request: StageRequest<unknown>): Promise<CustomResult> {
  const own = customRequest(request);
  try {
    const result = await stage.run({ signal, reporter, scratch, threads }, own);
    signal.throwIfAborted();
    checkForm(result, path);
    stage.ensures?.(result, own);
    return result;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw failure(stage, path, error);
  }
}

function guarded(stage: CustomStage, path: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw failure(stage, path, error);
  }
}

function failure({ name }: CustomStage, path: string, error: unknown): unknown {
  // The pipeline has words for a full disk and its like.
  if (error instanceof TundishError || (error instanceof Error && 'syscall' in error)) return error;
  const line = error instanceof Error ? lineIn(error.stack ?? '', path) : undefined;
  return stageError('STAGE_CUSTOM_FAILED', { what: `${name} failed: ${printable(messageOf(error), 400)}`, evidence: { path, ...(line === undefined ? {} : { line }) }, cause: error });
}

/** The topmost line of the module on a stack. */
function lineIn(stack: string, path: string): number | undefined {
  const at = stack.indexOf(`${path}:`);
  const line = at < 0 ? NaN : Number.parseInt(stack.slice(at + path.length + 1), 10);
  return Number.isNaN(line) ? undefined : line;
}

function customRequest(request: StageRequest<unknown>): CustomRequest<unknown> {
  return { options: request.options, subject: request.subject, input: onlyInput(request) };
}

function onlyInput({ inputs }: StageRequest<unknown>): StageInput {
  const [input] = inputs.values();
  if (input === undefined) throw stageError('STAGE_INPUT_MISSING', { what: 'the stage before a custom stage has not run' });
  return input;
}

function checkForm(result: unknown, path: string): asserts result is CustomResult {
  const files = (result as Partial<CustomResult> | null | undefined)?.files;
  const isFile = (file: unknown): boolean => typeof file === 'object' && file !== null && typeof (file as StageFile).name === 'string' && ('bytes' in file || 'path' in file || 'from' in file);
  if (Array.isArray(files) && files.every(isFile)) return;
  throw refused(path, 'its `run` gave no list of files', 'return { files: [graphFile(model), ...] }');
}

/** Adds what is handed on: files of the input that were not made anew, weight files that the graph still refers to, facts. */
async function completed({ files, facts }: CustomResult, input: StageInput, path: string): Promise<StageResult> {
  const model = await graphOf(files, path);
  const { manifest } = input;
  const made = new Set(files.map(({ name }) => name));
  const externals = await externalsOf(model, files, manifest, path);
  const handedOn = manifest.outputs.filter(({ name, mediaType }) => mediaType !== MEDIA.weights && !made.has(name));
  return {
    files: [...files, ...handedOn.map((output): StageFile => ({ name: output.name, mediaType: output.mediaType, from: output }))],
    externals,
    facts: { ...manifest.facts, ...facts },
  };
}

async function graphOf(files: readonly StageFile[], path: string): Promise<Model> {
  const graph = files.find(({ name }) => name === GRAPH_FILE);
  if (graph === undefined) throw refused(path, `it made no ${GRAPH_FILE}`, 'return { files: [graphFile(model), ...] }');
  if ('from' in graph) throw refused(path, `${GRAPH_FILE} is the file of another stage`, 'read it with readGraph(input) and return graphFile(model)');
  try {
    const bytes = 'bytes' in graph ? graph.bytes : await readFile(graph.path);
    return decodeModel(bytes, { path: GRAPH_FILE });
  } catch (cause) {
    throw refused(path, `its ${GRAPH_FILE} cannot be read: ${printable(cause instanceof TundishError ? `${cause.code}: ${cause.what}` : messageOf(cause), 400)}`, 'return graphFile(model) of a graph that is whole', cause);
  }
}

/** What the graph refers to and the stage did not make. Every byte range must lie inside its file. */
async function externalsOf({ graph }: Model, files: readonly StageFile[], before: StageManifest, path: string): Promise<StageManifest['externals']> {
  const externals = new Map<string, StageManifest['externals'][number]>();
  const known = new Map([...before.outputs.map(({ name, sha256, size }) => [name, { sha256, size }] as const), ...before.externals.map(({ location, sha256, size }) => [location, { sha256, size }] as const)]);
  const sizes = new Map<string, number>();
  for (const file of files) sizes.set(file.name, await sizeOf(file, path));
  const weights = new Set([...before.externals.map(({ location }) => location), ...before.outputs.filter(({ mediaType }) => mediaType === MEDIA.weights).map(({ name }) => name)]);
  const taken = files.find((file) => weights.has(file.name) && !('from' in file && file.from.sha256 === known.get(file.name)?.sha256));
  if (taken !== undefined) throw refused(path, `it made a file ${printable(taken.name)}, which is the name of a weight file of its input`, 'give the new file a name of its own');
  for (const { name, tensor } of graph.initializers) {
    if (tensor?.kind !== 'external') continue;
    const { location, offset, length } = tensor;
    const found = sizes.has(location) ? undefined : known.get(location);
    const size = sizes.get(location) ?? found?.size;
    if (size === undefined) throw refused(path, `the graph refers to ${printable(location)} (tensor ${printable(name)}), which is neither among its files nor among those of its input`, 'return the weight file too');
    if (offset + length > size) throw refused(path, `tensor ${printable(name)} is bytes ${offset}..${offset + length} of ${printable(location)}, which has ${size}`, 'take the tensor that WeightFile.add returns');
    if (found !== undefined) externals.set(location, { location, ...found });
  }
  return [...externals.values()].sort((a, b) => (a.location < b.location ? -1 : 1));
}

async function sizeOf(file: StageFile, path: string): Promise<number> {
  if ('bytes' in file) return file.bytes.length;
  if ('from' in file) return file.from.size;
  const found = await stat(file.path).catch(() => undefined);
  if (found?.isFile() === true) return found.size;
  throw refused(path, `it names the file ${printable(file.name)} and did not write it`, 'write the file into `context.scratch` before `run` returns');
}

function refused(path: string, what: string, fix: string, cause?: unknown): Error {
  return stageError('STAGE_CUSTOM_RESULT', { what: `the result of a stage was refused: ${what}`, why: 'nothing was kept', evidence: { path }, fix, ...(cause === undefined ? {} : { cause }) });
}
