/** The `tundish` command: verbs, options, help, exit codes. */
import { readFileSync } from 'node:fs';
import { TundishError } from '@tundish/diagnostics';
import { Command, CommanderError } from 'commander';
import { threadsOption } from './argument-values.js';
import type { WatchWords } from './build/build-watch.js';
import { addCiVerbs } from './ci-verbs.js';
import type { BuildOptions } from './commands/build.js';
import { EXIT } from './exit-codes.js';
import { type Io, processIo } from './io.js';
import { addMeasureVerbs } from './measure-verbs.js';
import { placeOf } from './model-place.js';
import { addRunVerbs } from './run-verbs.js';
import { addExportVerbs } from './export-verbs.js';
import { addStoreVerbs } from './store-verbs.js';
import { addToolchainVerb } from './toolchain-verbs.js';

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
  addRunVerbs(program, io, signal, done);
  addMeasureVerbs(program, io, signal, done);
  addExportVerbs(program, io, signal);
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

type BuildFlags = Pick<BuildOptions, 'frozenLock' | 'threads' | 'json'> & WatchWords & { readonly workspace: string };

function versionOf(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
