/** generate: text from a container, streamed as it is made. */
import type { GenerationStats, Prompt } from '@tundish/runtime';
import { collectTokens } from '../collect-tokens.js';
import { describeStats } from '../describe-stats.js';
import { cliError } from '../errors.js';
import type { RunnableOptions } from '../executable-container.js';
import { type Io, ioReporter } from '../io.js';
import { openRunnable } from '../open-runnable.js';
import { type SamplingFlags, samplingOf } from '../sampling-flags.js';

export interface GenerateOptions extends SamplingFlags, RunnableOptions {
  /** Text; absent when `ids` are given. */
  readonly prompt?: string;
  /** Token ids to continue, as they are. */
  readonly ids?: readonly number[];
  /** The prompt is a user message for the container's chat template; else it is text to continue. */
  readonly chat?: boolean;
  readonly json: boolean;
}

/** What `--json` prints. */
export interface GenerateReport {
  readonly prompt: string | null;
  readonly ids: readonly number[];
  readonly text: string;
  readonly stats: GenerationStats;
}

/** Streams the continuation to `io.out` and one line of figures to `io.err`; with `json` one object at the end instead. */
export async function generateCommand(options: GenerateOptions, io: Io): Promise<GenerateReport> {
  const prompt = promptOf(options);
  const reporter = ioReporter(io);
  const session = await openRunnable(options, reporter).finally(() => reporter.close());
  try {
    const generation = session.generate(prompt, { ...samplingOf(options), signal: options.signal });
    const { ids, text } = await collectTokens(generation, options.json ? undefined : io);
    const report: GenerateReport = { prompt: options.prompt ?? null, ids, text, stats: generation.stats as GenerationStats };
    if (options.json) io.out(`${JSON.stringify(report, null, 2)}\n`);
    else {
      io.out('\n');
      io.err(`${describeStats(report.stats)}\n`);
    }
    return report;
  } finally {
    await session.close();
  }
}

/** @throws CLI_USAGE unless there is exactly one thing to continue */
function promptOf({ prompt, ids, chat }: GenerateOptions): Prompt {
  if ((prompt === undefined) === (ids === undefined)) throw cliError('CLI_USAGE', { what: 'give a prompt or token ids, one of the two', fix: '--prompt "And God said", or --ids 4091,312' });
  if (ids !== undefined) return { ids };
  if (chat === true) return { messages: [{ role: 'user', content: prompt ?? '' }] };
  if (prompt === '' || prompt === undefined) throw cliError('CLI_USAGE', { what: 'the prompt is empty', fix: 'give some text: --prompt "And God said"' });
  return prompt;
}
