/** evaluate --blocks: where the loss of a quantized build sits, decoder block by decoder block. */
import type { Reporter } from '@tundish/diagnostics';
import { blockTableJson, formatBlockTable } from '@tundish/evaluate';
import type { Pipeline } from '@tundish/stages';
import { measureBlocks } from '../block-errors.js';
import { cliError } from '../errors.js';
import { CONTAINER_STAGE, evaluatedStages, lastGraphStage } from '../evaluated-stages.js';
import { evaluationWindows } from '../evaluation-windows.js';
import { stageToolchain } from '../stage-toolchain.js';
import { adapters } from '../toolchains.js';
import type { EvaluateOptions } from './evaluate.js';

/** Without a limit: hundreds of positions already tell the blocks apart. */
const WINDOWS = 1;

/** @returns what the command prints */
export async function evaluateBlocks(options: EvaluateOptions, pipeline: Pipeline, reporter: Reporter): Promise<string> {
  const { windows: cut, protocol } = await evaluationWindows({ ...options, limit: options.limit ?? WINDOWS }, pipeline);
  // The graphs have one size: a short last window is left out, unless it is the only one.
  const windows = cut.filter(({ length }) => length === cut[0]?.length);
  const rows = await measureBlocks({
    load: await pipeline.input({ stage: 'load', subject: null }),
    measured: await pipeline.input({ stage: measuredStage(pipeline, options.stage), subject: null }),
    windows,
    executor: adapters.reference(),
    ...stageToolchain(pipeline.lock),
    threads: options.threads,
    signal: options.signal,
    onBlock: (done, total) => reporter.progress({ work: 'evaluate', label: 'blocks', done, total }),
  });
  if (options.json) return `${blockTableJson(rows)}\n`;
  return `${formatBlockTable(rows)}\nSQNR in dB over ${windows.length} ${windows.length === 1 ? 'window' : 'windows'} of ${windows[0]?.length ?? protocol.windowLength} tokens; stream: all up to the block quantized, own: the block alone\n`;
}

/** @throws CLI_USAGE, CLI_EVALUATE_STAGE */
function measuredStage({ lock }: Pipeline, asked: EvaluateOptions['stage']): string {
  if (asked === undefined || asked.length === 0) return lastGraphStage(lock);
  const [stage, ...others] = evaluatedStages(lock, asked);
  if (stage !== undefined && others.length === 0 && stage !== CONTAINER_STAGE) return stage;
  throw cliError('CLI_USAGE', { what: '--blocks looks into the graph of one stage', fix: `give one --stage before arcl, or none for ${lastGraphStage(lock)}` });
}
