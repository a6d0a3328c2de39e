/** The `tundish` command: verbs, options, help, exit codes. */
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { TundishError } from '@tundish/diagnostics';
import { Command, CommanderError } from 'commander';
import { everyWord, realNumber, threadsOption, tokenIds, wholeNumber } from './argument-values.js';
import type { WatchWords } from './build/build-watch.js';
import { CHAT_HELP } from './chat-command.js';
import type { BuildOptions } from './commands/build.js';
import type { ChatOptions } from './commands/chat.js';
import type { EvaluateOptions } from './commands/evaluate.js';
import type { GenerateOptions } from './commands/generate.js';
import type { ParityOptions } from './commands/parity.js';
import { type Io, processIo } from './io.js';
import { addStoreVerbs } from './store-verbs.js';

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
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .addHelpText('after', HELP_TAIL);
  addBuild(program, io, signal);
  addGenerate(program, io, signal);
  addChat(program, io, signal, done);
  addEvaluate(program, io, signal);
  addParity(program, io, signal, done);
  addStoreVerbs(program, io, signal, done);
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

/** A model folder may be given as seen from the workspace. */
function placeOf(workspace: string, model: string): { readonly workspaceRoot: string; readonly modelRoot: string } {
  const workspaceRoot = resolve(workspace);
  return { workspaceRoot, modelRoot: relative(workspaceRoot, resolve(workspace, model)) };
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

function addEvaluate(program: Command, io: Io, signal: AbortSignal): void {
  program
    .command('evaluate')
    .description('Measures results of a build, which may be partial, against the checkpoint: perplexity, KL divergence, top-1 agreement, multiple choice.')
    .argument('<model>', 'folder of the model project, for example models/llama32')
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .option('--stage <name>', 'measure the result of this stage, and only of stages so named: they alone must have been built; else load, the last graph before arcl, and package, the container', everyWord)
    .option('--protocol <name>', 'how the text is cut, scored and averaged: mini, aimet-4096, aihub-4096, gptq-2048, llamacpp-512; else as the recipe says')
    .option('--windows <file>', 'safetensors file whose tensor eval_windows holds the tokens to score; else the text of the recipe')
    .option('--limit <n>', 'score only the first windows, or ask only so many questions at equal distances', wholeNumber)
    .option('--against <file>', 'hold each artifact also against the one of its name in results that --json printed; refused when anything that decides the numbers differs')
    .option('--choices <file>', 'ask multiple-choice questions instead: MMLU as .csv or .jsonl')
    .option('--examples <file>', 'with --choices: solved questions to put before each one')
    .option('--shots <n>', 'with --choices: how many of them; 5 with --examples, else 0', wholeNumber)
    .option('--blocks', 'show instead where the loss sits: SQNR in dB after each decoder block, of its own error, of its K and V; over 1 window unless --limit says more')
    .addOption(threadsOption())
    .option('--json', 'print the results as JSON', false)
    .addHelpText('after', '\nExamples:\n  npx tundish evaluate models/llama32 --json\n  npx tundish evaluate models/llama32 --protocol llamacpp-512 --limit 16\n  npx tundish evaluate models/llama32 --blocks\n  npx tundish evaluate models/llama32 --stage quantize')
    .action(async (model: string, { workspace, ...options }: EvaluateFlags) => {
      const { evaluateCommand } = await import('./commands/evaluate.js');
      await evaluateCommand({ ...options, ...placeOf(workspace, model), signal }, io);
    });
}

function addParity(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  program
    .command('parity')
    .description('Compares the load graph of a checkpoint with reference results: logits, hidden states, keys and values, greedy continuation.')
    .argument('<checkpoint>', 'Hugging Face checkpoint folder')
    .requiredOption('--golden <file>', 'safetensors file with input_ids, logits, hidden_states, past_key_i, past_value_i, greedy_ids')
    .option('--tolerance <x>', 'largest absolute error that is accepted', realNumber, 1e-4)
    .addOption(threadsOption())
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', '\nExample:\n  npx tundish parity models/llama32/checkpoint --golden models/llama32/checkpoint/golden.safetensors\n\nExits with 1 when an error is above the tolerance or the continuation differs.')
    .action(async (checkpoint: string, options: ParityFlags) => {
      const { parityCommand } = await import('./commands/parity.js');
      done(await parityCommand({ ...options, checkpoint, signal }, io));
    });
}

type BuildFlags = Pick<BuildOptions, 'frozenLock' | 'threads' | 'json'> & WatchWords & { readonly workspace: string };

type GenerateFlags = Omit<GenerateOptions, 'container' | 'signal'>;

type ChatFlags = Omit<ChatOptions, 'container' | 'signal'>;

type EvaluateFlags = Omit<EvaluateOptions, 'workspaceRoot' | 'modelRoot' | 'signal'> & { readonly workspace: string };

type ParityFlags = Omit<ParityOptions, 'checkpoint' | 'signal'>;

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
