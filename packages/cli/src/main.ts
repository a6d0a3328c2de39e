/** The `tundish` command: verbs, options, help, exit codes. */
import { readFileSync } from 'node:fs';
import { TundishError } from '@tundish/diagnostics';
import { Command, CommanderError } from 'commander';
import { realNumber, threadsOption, tokenIds, wholeNumber } from './argument-values.js';
import type { WatchWords } from './build/build-watch.js';
import { CHAT_HELP } from './chat-command.js';
import { addCiVerbs } from './ci-verbs.js';
import type { BuildOptions } from './commands/build.js';
import type { ChatOptions } from './commands/chat.js';
import type { GenerateOptions } from './commands/generate.js';
import { type Io, processIo } from './io.js';
import { addMeasureVerbs } from './measure-verbs.js';
import { placeOf } from './model-place.js';
import { addStoreVerbs } from './store-verbs.js';
import { addToolchainVerb } from './toolchain-verbs.js';

/** 0 success; 1 the verb's own "no" (parity does not hold); 2 wrong usage; 3 a failure with a code; 130 interrupted. */
export const EXIT = { ok: 0, no: 1, usage: 2, failed: 3, interrupted: 130 } as const;

const HELP_TAIL = `
Exit codes: 0 success, 1 the answer is no, 2 wrong usage, 3 failure, 130 interrupted.
Results go to stdout, messages and progress to stderr; with --json stdout holds one JSON value and nothing else.
A terminal gets a progress bar, a pipe or a log whole lines. NO_COLOR switches colour off.`;

/** Runs one command line. @param words what follows `tundish` */
export async function main(words: readonly string[], io: Io = processIo): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort(new Error('interrupted'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  let code: number = EXIT.ok;
  const program = describeProgram(io, interrupt.signal, (result) => (code = result));
  try {
    await program.parseAsync([...words], { from: 'user' });
    return interrupt.signal.aborted ? EXIT.interrupted : code;
  } catch (error) {
    return exitCodeOf(error, interrupt.signal, io);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function exitCodeOf(error: unknown, signal: AbortSignal, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (signal.aborted) {
    io.err('interrupted\n');
    return EXIT.interrupted;
  }
  io.err(error instanceof TundishError ? `${error.message}\n` : `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return error instanceof TundishError && error.code === 'CLI_USAGE' ? EXIT.usage : EXIT.failed;
}

function describeProgram(io: Io, signal: AbortSignal, done: (code: number) => void): Command {
  const program = new Command('tundish')
    .description('Turns LLM checkpoints into artifacts for devices, and runs and measures them.')
    .version(versionOf())
    // An option of a verb may have the name of one of the program: --version.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .addHelpText('after', HELP_TAIL);
  addBuild(program, io, signal);
  addGenerate(program, io, signal);
  addChat(program, io, signal, done);
  addMeasureVerbs(program, io, signal, done);
  addStoreVerbs(program, io, signal, done);
  addCiVerbs(program, io, signal);
  addToolchainVerb(program, io, signal);
  return program;
}

function addBuild(program: Command, io: Io, signal: AbortSignal): void {
  program
    .command('build')
    .description('Builds a model without Nx, over the same cache: what one of them built is a hit for the other.')
    .argument('<model>', 'folder of the model project, for example models/llama32')
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .option('--frozen-lock', 'refuse to build when recipe.lock.json does not match its recipe, instead of writing it', false)
    .option('--trace <file>', 'write a trace for chrome://tracing and Perfetto; else TUNDISH_TRACE')
    .option('--events <file>', 'write events as JSON lines, - for stderr; else TUNDISH_EVENTS')
    .option('--max-memory <size>', 'refuse what is expected to need more memory, and stop a stage that does, for example 6GB; else TUNDISH_MAX_MEMORY')
    .addOption(threadsOption())
    .option('--json', 'print one JSON object: container, and each unit with its figures', false)
    .addHelpText('after', '\nExample:\n  npx tundish build models/llama32 --trace build.trace --max-memory 6GB')
    .action(async (model: string, { workspace, trace, events, maxMemory, ...options }: BuildFlags) => {
      const [{ buildCommand }, { buildWatch }, { watchWordsOf }] = await Promise.all([import('./commands/build.js'), import('./build/build-watch.js'), import('./environment.js')]);
      const { trace: t, events: e, maxMemory: m } = watchWordsOf();
      const watch = buildWatch({ trace: trace ?? t, events: events ?? e, maxMemory: maxMemory ?? m }, process.cwd());
      await buildCommand({ ...options, ...watch, ...placeOf(workspace, model), signal }, io);
    });
}

function addGenerate(program: Command, io: Io, signal: AbortSignal): void {
  addSampling(program.command('generate'))
    .description('Generates text from a container folder.')
    .argument('<container>', 'folder that the package stage made')
    .option('--prompt <text>', 'text to continue')
    .option('--ids <list>', 'token ids to continue instead of text, separated by commas', tokenIds)
    .option('--chat', 'send the prompt as a user message through the chat template')
    .addOption(threadsOption())
    .option('--json', 'print one JSON object with text, token ids and figures', false)
    .addHelpText('after', '\nExample:\n  npx tundish generate models/llama32/artifacts/container --prompt "And God said" --max-tokens 64')
    .action(async (container: string, options: GenerateFlags) => {
      const { generateCommand } = await import('./commands/generate.js');
      await generateCommand({ ...options, container, signal }, io);
    });
}

function addChat(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  addSampling(program.command('chat'))
    .description('Talks with a container folder through its chat template, line by line, at a terminal or from a pipe.')
    .argument('<container>', 'folder that the package stage made')
    .option('--system <text>', 'system message that the conversation begins with')
    .addOption(threadsOption())
    .option('--json', 'print one JSON object a line and answer: role, content, token ids, figures', false)
    .addHelpText('after', `\nExample:\n  npx tundish chat models/llama32/artifacts/container\n\nIn the conversation:\n${CHAT_HELP}\nExits with 0 at /exit and at the end of the input, with 130 after Ctrl-C twice at an empty prompt.`)
    .action(async (container: string, options: ChatFlags) => {
      const { chatCommand } = await import('./commands/chat.js');
      done((await chatCommand({ ...options, container, signal }, io)) ? EXIT.interrupted : EXIT.ok);
    });
}

type BuildFlags = Pick<BuildOptions, 'frozenLock' | 'threads' | 'json'> & WatchWords & { readonly workspace: string };

type GenerateFlags = Omit<GenerateOptions, 'container' | 'signal'>;

type ChatFlags = Omit<ChatOptions, 'container' | 'signal'>;

/** What generate and chat have in common. */
function addSampling(command: Command): Command {
  return command
    .option('--max-tokens <n>', 'tokens to generate at most', wholeNumber)
    .option('--temperature <t>', 'randomness; 0 is greedy', realNumber)
    .option('--top-k <k>', 'keep the k most likely tokens; 0 keeps all', wholeNumber)
    .option('--top-p <p>', 'keep the most likely tokens up to this total probability', realNumber)
    .option('--seed <n>', 'seed of the draws', wholeNumber);
}

function versionOf(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
