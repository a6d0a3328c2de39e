/** generate: text from a container, streamed as it is made. */
import { type GenerationStats, type Prompt, openContainer } from '@tundish/runtime';
import { collectTokens } from '../collect-tokens.js';
import { describeStats } from '../describe-stats.js';
import { cliError } from '../errors.js';
import { type RunnableOptions, runnableContainer } from '../executable-container.js';
import { type Io, ioReporter } from '../io.js';
import type { ProgressReporter } from '../progress-reporter.js';
import { type SamplingFlags, samplingOf } from '../sampling-flags.js';
import { toolchainNamed } from '../toolchains.js';

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
  const report = { prompt: options.prompt ?? null, ...(await answer(prompt, options, io)) };
  if (options.json) io.out(`${JSON.stringify(report, null, 2)}\n`);
  else {
    io.out('\n');
    io.err(`${describeStats(report.stats)}\n`);
  }
  return report;
}

type Answer = Omit<GenerateReport, 'prompt'>;

/** The text goes to `io.out` as it comes, unless it is wanted as JSON. */
async function answer(prompt: Prompt, options: GenerateOptions, io: Io): Promise<Answer> {
  const reporter = ioReporter(io);
  try {
    const { folder, on } = await runnableContainer(options, reporter);
    return on === 'genie' ? await answerOnGenie(folder, prompt, options, io) : await answerHere(folder, prompt, options, { io, reporter });
  } finally {
    reporter.close();
  }
}

async function answerHere(folder: string, prompt: Prompt, options: GenerateOptions, { io, reporter }: { readonly io: Io; readonly reporter: ProgressReporter }): Promise<Answer> {
  const session = await openContainer(folder, { toolchain: toolchainNamed, threads: options.threads, reporter }).finally(() => reporter.close());
  try {
    const generation = session.generate(prompt, { ...samplingOf(options), signal: options.signal });
    const { ids, text } = await collectTokens(generation, options.json ? undefined : io);
    return { ids, text, stats: generation.stats as GenerationStats };
  } finally {
    await session.close();
  }
}

/** The vendor's runtime gives a whole answer. */
async function answerOnGenie(folder: string, prompt: Prompt, options: GenerateOptions, io: Io): Promise<Answer> {
  const { generateOnGenie } = await import('../generate-on-genie.js');
  const given = await generateOnGenie(folder, prompt, samplingOf(options), options.signal);
  if (!options.json) io.out(given.text);
  return given;
}

/** @throws CLI_USAGE unless there is exactly one thing to continue */
function promptOf({ prompt, ids, chat }: GenerateOptions): Prompt {
  if ((prompt === undefined) === (ids === undefined)) throw cliError('CLI_USAGE', { what: 'give a prompt or token ids, one of the two', fix: '--prompt "And God said", or --ids 4091,312' });
  if (ids !== undefined) return { ids };
  if (chat === true) return { messages: [{ role: 'user', content: prompt ?? '' }] };
  if (prompt === '' || prompt === undefined) throw cliError('CLI_USAGE', { what: 'the prompt is empty', fix: 'give some text: --prompt "And God said"' });
  return prompt;
}
