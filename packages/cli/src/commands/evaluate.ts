/** evaluate: perplexity, KL divergence and top-1 agreement of each artifact of a model against its checkpoint. */
import { readFile } from 'node:fs/promises';
import type { Reporter } from '@tundish/diagnostics';
import { type EvaluationResult, KERNEL_PROFILE, type LogitSource, type Protocol, evaluate, formatTable, windowsOf } from '@tundish/evaluate';
import { MODEL_FILE, type ModelFacts, Pipeline } from '@tundish/stages';
import { sha256 } from '@tundish/store';
import { loadTokenizer } from '@tundish/tokenizer';
import { resolve } from 'node:path';
import { cacheRootOf, hubAccess, hubCacheOf } from '../environment.js';
import { cliError } from '../errors.js';
import { type Io, ioReporter } from '../io.js';
import { type OpenedSource, checkpointSource, containerSource, stageSource } from '../logit-sources.js';
import { adapters } from '../toolchains.js';
import { readWindows } from '../token-windows.js';

export interface EvaluateOptions {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  /** Safetensors file with a tensor `eval_windows` of token ids; the recipe's text when absent. */
  readonly windows?: string;
  /** Evaluates only the first windows. */
  readonly limit?: number;
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Measures `load`, `quantize` and the compiled container, each from its own files. */
export async function evaluateCommand(options: EvaluateOptions, io: Io): Promise<EvaluationResult[]> {
  const reporter = ioReporter(io);
  const { protocol, windows, results } = await evaluateModel(options, reporter).finally(() => reporter.close());
  io.out(options.json ? `${JSON.stringify(results, null, 2)}\n` : `${formatTable(results)}\n${describe(protocol, windows, results)}\n`);
  return results;
}

async function evaluateModel(options: EvaluateOptions, reporter: Reporter): Promise<{ protocol: Protocol; windows: number; results: EvaluationResult[] }> {
  const pipeline = await Pipeline.open({
    workspaceRoot: options.workspaceRoot,
    modelRoot: options.modelRoot,
    cacheRoot: cacheRootOf(options.workspaceRoot),
    hubCache: hubCacheOf(),
    hub: hubAccess(),
    adapters,
    reporter,
    signal: options.signal,
    threads: options.threads,
    inputsInPlace: true,
  });
  const { windows, protocol } = await prepare(options, pipeline);
  return { protocol, windows: windows.length, results: await measure(options, pipeline, windows, protocol, reporter) };
}

/** One artifact at a time is open beside the teacher, so that memory holds two models and not four. */
async function measure(options: EvaluateOptions, pipeline: Pipeline, windows: readonly Int32Array[], protocol: Protocol, reporter: Reporter): Promise<EvaluationResult[]> {
  const tokens = protocol.scored.last;
  const openers: readonly (readonly [string, () => Promise<OpenedSource>])[] = [
    ['load', () => stageSource(pipeline, 'load', tokens, options)],
    ['quantize', () => stageSource(pipeline, 'quantize', tokens, options)],
    ['container', () => containerSource(pipeline, options)],
  ];
  const onOpened = (done: number): void => reporter.progress({ work: 'open', label: 'artifacts', done, total: openers.length + 1 });
  onOpened(0);
  const teacher = await checkpointSource(pipeline, tokens, options);
  const opened: OpenedSource[] = [teacher];
  try {
    const students = new Map<string, LogitSource>();
    for (const [name, open] of openers) {
      onOpened(opened.length);
      const source = await open();
      opened.push(source);
      students.set(name, source);
    }
    onOpened(opened.length);
    const onWindow = (done: number, total: number): void => reporter.progress({ work: 'evaluate', label: 'windows', done, total });
    onWindow(0, windows.length);
    return await evaluate({ protocol, windows, teacher, students, signal: options.signal, onWindow });
  } finally {
    for (const source of opened) await source.close();
  }
}

async function prepare(options: EvaluateOptions, pipeline: Pipeline): Promise<{ windows: Int32Array[]; protocol: Protocol }> {
  const { bos } = (await factsOf(pipeline)).tokens;
  const pinned = pipeline.lock.source.files['tokenizer.json'];
  const base = { tokenizerSha256: pinned?.sha256 ?? '', bos: bos ?? 0, maskValue: 0, kernelProfile: KERNEL_PROFILE };
  const all = options.windows === undefined ? await textWindows(pipeline, bos) : await readWindows(options.windows);
  const windows = all.windows.slice(0, options.limit ?? all.windows.length);
  const windowLength = windows[0]?.length ?? 0;
  return { windows, protocol: { name: `windows-${windowLength}`, textSha256: all.sha256, windowLength, scored: { first: 1, last: windowLength - 1 }, ...base } };
}

async function factsOf(pipeline: Pipeline): Promise<ModelFacts> {
  const load = await pipeline.input({ stage: 'load', subject: null });
  return JSON.parse(await readFile(load.path(MODEL_FILE), 'utf8')) as ModelFacts;
}

async function textWindows(pipeline: Pipeline, bos: number | null): Promise<{ windows: Int32Array[]; sha256: string }> {
  const { text, windowLength } = pipeline.lock.evaluate;
  const path = text === null ? undefined : resolve(pipeline.layout.root, text);
  const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined);
  if (bytes === undefined) {
    throw cliError('CLI_EVALUATE_TEXT', {
      what: `${pipeline.layout.model} has no evaluation text`,
      ...(path === undefined ? {} : { evidence: { path } }),
      fix: 'name a UTF-8 text in the recipe (evaluate: { text: ./eval.txt }), or give --windows FILE',
    });
  }
  const folder = pipeline.lock.source.kind === 'folder' ? resolve(pipeline.layout.root, pipeline.lock.source.location) : pipeline.layout.container;
  const tokenizer = await loadTokenizer(folder);
  const ids = tokenizer.encode(bytes.toString('utf8'), { addSpecialTokens: false });
  return { windows: windowsOf(ids, bos ?? tokenizer.eosTokenIds[0] ?? 0, windowLength), sha256: sha256(bytes) };
}

function describe(protocol: Protocol, windows: number, results: readonly EvaluationResult[]): string {
  return `${windows} windows of ${protocol.windowLength} tokens, ${results[0]?.positions ?? 0} tokens scored; checkpoint perplexity ${results[0]?.teacherPerplexity.toFixed(4) ?? '-'}; protocol ${results[0]?.protocolHash.slice(0, 12) ?? '-'}`;
}
