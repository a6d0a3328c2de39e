/** evaluate: perplexity, KL divergence and top-1 agreement of each artifact of a model against its checkpoint. */
import type { Reporter } from '@tundish/diagnostics';
import { type EvaluationResult, type LogitSource, type Protocol, evaluate, formatTable } from '@tundish/evaluate';
import { Pipeline } from '@tundish/stages';
import { cacheRootOf, hubAccess, hubCacheOf } from '../environment.js';
import { CONTAINER_STAGE, evaluatedStages } from '../evaluated-stages.js';
import { type WindowOptions, evaluationWindows } from '../evaluation-windows.js';
import { type Io, ioReporter } from '../io.js';
import { type OpenedSource, checkpointSource, containerSource, stageSource } from '../logit-sources.js';
import { adapters } from '../toolchains.js';
import { evaluateBlocks } from './evaluate-blocks.js';

export interface EvaluateOptions extends WindowOptions {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  /** Results to measure, by stage; absent: load, the last graph before arcl, the container. Only these must have been built. */
  readonly stage?: readonly string[];
  /** Measures the error of each decoder block instead, over the first window when no limit is given. */
  readonly blocks?: boolean;
  readonly threads: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Measures results of a build, which may be partial, each from its own files, and prints a table or JSON. @throws CLI_EVALUATE_STAGE */
export async function evaluateCommand(options: EvaluateOptions, io: Io): Promise<void> {
  const reporter = ioReporter(io);
  io.out(await evaluateModel(options, reporter).finally(() => reporter.close()));
}

async function evaluateModel(options: EvaluateOptions, reporter: Reporter): Promise<string> {
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
  if (options.blocks === true) return evaluateBlocks(options, pipeline, reporter);
  const { windows, protocol } = await evaluationWindows(options, pipeline);
  const results = await measure(options, pipeline, windows, protocol, reporter);
  return options.json ? `${JSON.stringify(results, null, 2)}\n` : `${formatTable(results)}\n${describe(protocol, windows.length, results)}\n`;
}

/** One artifact at a time is open beside the teacher, so that memory holds two models and not four. */
async function measure(options: EvaluateOptions, pipeline: Pipeline, windows: readonly Int32Array[], protocol: Protocol, reporter: Reporter): Promise<EvaluationResult[]> {
  const tokens = protocol.scored.last;
  const openers = evaluatedStages(pipeline.lock, options.stage).map((stage): readonly [string, () => Promise<OpenedSource>] =>
    stage === CONTAINER_STAGE ? ['container', () => containerSource(pipeline, options)] : [stage, () => stageSource(pipeline, stage, tokens, options)]);
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

function describe(protocol: Protocol, windows: number, results: readonly EvaluationResult[]): string {
  return `${windows} windows of ${protocol.windowLength} tokens, ${results[0]?.positions ?? 0} tokens scored; checkpoint perplexity ${results[0]?.teacherPerplexity.toFixed(4) ?? '-'}; protocol ${results[0]?.protocolHash.slice(0, 12) ?? '-'}`;
}
