/** evaluate: perplexity, KL divergence and top-1 agreement of each artifact of a model against its checkpoint. */
import { readFile } from 'node:fs/promises';
import { type Reporter, messageOf } from '@tundish/diagnostics';
import { type EvaluationResult, type Protocol, compareResults, formatComparisons, formatTable, parseResults, protocolHash, requireSameProtocol } from '@tundish/evaluate';
import { Pipeline } from '@tundish/stages';
import { withRemote } from '../remote-results.js';
import { cacheRootOf, hubAccess, hubCacheOf } from '../environment.js';
import { cliError } from '../errors.js';
import { CONTAINER_STAGE, evaluatedStages } from '../evaluated-stages.js';
import { type WindowOptions, evaluationWindows, requireContext } from '../evaluation-windows.js';
import { type Io, ioReporter } from '../io.js';
import { describeMeasurement, measureStudents } from '../measured-students.js';
import { type PlaceOptions, stageOpeners } from '../opened-artifacts.js';
import { adapters } from '../toolchains.js';
import { evaluateBlocks } from './evaluate-blocks.js';
import { type ChoiceOptions, evaluateChoiceFile } from './evaluate-choices.js';

export interface EvaluateOptions extends WindowOptions, ChoiceOptions, PlaceOptions {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  /** Results to measure, by stage; absent: load, the last graph before arcl, the container. Only these must have been built. */
  readonly stage?: readonly string[];
  /** Measures the error of each decoder block instead, over the first window when no limit is given. */
  readonly blocks?: boolean;
  /** File of results that `--json` wrote earlier; each artifact is also held against the one of its name there. */
  readonly against?: string;
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
  refuseMixtures(options);
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
    ...(await withRemote({ reporter, signal: options.signal, readOnly: true })),
  });
  if (options.blocks === true) return evaluateBlocks(options, pipeline, reporter);
  if (options.choices !== undefined) return evaluateChoiceFile({ ...options, choices: options.choices }, pipeline, reporter);
  return evaluateText(options, pipeline, reporter);
}

/** Options that the chosen measurement would not read. @throws CLI_USAGE */
function refuseMixtures({ blocks, choices, shots, examples, protocol, windows, against, on, chip }: EvaluateOptions): void {
  const given = (options: Readonly<Record<string, unknown>>): string | undefined => Object.keys(options).find((name) => options[name] !== undefined);
  const refuse = (name: string | undefined, fix: string): void => {
    if (name !== undefined) throw cliError('CLI_USAGE', { what: `--${name} has no meaning here`, fix });
  };
  if (blocks === true) refuse(given({ choices, against, on, chip }), 'remove it, or remove --blocks');
  if (choices === undefined) refuse(given({ shots, examples }), 'give --choices FILE with it');
  else refuse(given({ protocol, windows, against }), 'remove it, or remove --choices');
}

async function evaluateText(options: EvaluateOptions, pipeline: Pipeline, reporter: Reporter): Promise<string> {
  const { windows, protocol } = await evaluationWindows(options, pipeline);
  const stages = evaluatedStages(pipeline.lock, options.stage);
  if (stages.includes(CONTAINER_STAGE)) requireContext(pipeline, windows);
  const earlier = options.against === undefined ? undefined : await readEarlier(options.against, protocol);
  const tokens = Math.max(...windows.map(({ length }) => length)) - 1;
  const students = stageOpeners({ pipeline, options, tokens, reporter }, stages);
  const results = await measureStudents({ pipeline, students, options, tokens, reporter, protocol, windows });
  return shown(results, earlier, options.json);
}

/** Before anything is measured, since measuring takes minutes. */
async function readEarlier(path: string, protocol: Protocol): Promise<EvaluationResult[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw cliError('CLI_USAGE', { what: 'the file of results cannot be read', why: messageOf(cause), evidence: { path }, fix: 'give a file that `tundish evaluate MODEL --json` wrote', cause });
  });
  const earlier = parseResults(text, path);
  requireSameProtocol([{ subject: 'this evaluation', protocol, protocolHash: protocolHash(protocol) }, ...earlier]);
  return earlier;
}

function shown(results: readonly EvaluationResult[], earlier: readonly EvaluationResult[] | undefined, json: boolean): string {
  const pairs = results.map((result) => {
    const other = earlier?.find(({ subject }) => subject === result.subject);
    return other === undefined ? result : { ...result, against: compareResults(result, other) };
  });
  if (json) return `${JSON.stringify(pairs, null, 2)}\n`;
  const comparisons = pairs.flatMap((pair) => ('against' in pair ? [pair.against] : []));
  const below = comparisons.length === 0 ? '' : `\nagainst the earlier results:\n${formatComparisons(comparisons)}\n`;
  return `${formatTable(results)}\n${describeMeasurement(results)}\n${below}`;
}
