/** The verbs that run a model: their words, options and help. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { ACCEPTANCE } from './acceptance.js';
import { everyWord, realNumber, threadsOption, tokenIds, wholeNumber } from './argument-values.js';
import { CHAT_HELP } from './chat-command.js';
import type { AcceptOptions } from './commands/accept.js';
import type { ChatOptions } from './commands/chat.js';
import type { GenerateOptions } from './commands/generate.js';
import { cliError } from './errors.js';
import { EXIT } from './exit-codes.js';
import type { Io } from './io.js';
import { placeOf } from './model-place.js';
import { PLACES, type Place } from './places.js';

/** Every verb loads its code when it is called. */
export function addRunVerbs(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  addGenerate(program, io, signal);
  addChat(program, io, signal, done);
  addAccept(program, io, signal, done);
}

function addGenerate(program: Command, io: Io, signal: AbortSignal): void {
  addSampling(program.command('generate'), PLACES)
    .description('Generates text from a container folder, or from a model where it can run.')
    .argument('[container]', 'folder that the package stage made')
    .option('--prompt <text>', 'text to continue')
    .option('--ids <list>', 'token ids to continue instead of text, separated by commas', tokenIds)
    .option('--chat', 'send the prompt as a user message through the chat template')
    .addOption(threadsOption())
    .option('--json', 'print one JSON object with text, token ids and figures', false)
    .addHelpText('after', '\nExample:\n  npx tundish generate models/llama32/artifacts/container --prompt "And God said" --max-tokens 64\n  npx tundish generate --model models/llama32-htp --on emulator --prompt "And God said" --max-tokens 16')
    .action(async (container: string | undefined, { model, workspace, ...options }: GenerateFlags) => {
      const { generateCommand } = await import('./commands/generate.js');
      await generateCommand({ ...options, ...runnableOf(container, model, workspace), signal }, io);
    });
}

function addChat(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  addSampling(program.command('chat'), ['host', 'emulator'])
    .description('Talks with a container folder, or a model, through its chat template, line by line, at a terminal or from a pipe.')
    .argument('[container]', 'folder that the package stage made')
    .option('--system <text>', 'system message that the conversation begins with')
    .addOption(threadsOption())
    .option('--json', 'print one JSON object a line and answer: role, content, token ids, figures', false)
    .addHelpText('after', `\nExample:\n  npx tundish chat models/llama32/artifacts/container\n\nIn the conversation:\n${CHAT_HELP}\nExits with 0 at /exit and at the end of the input, with 130 after Ctrl-C twice at an empty prompt.`)
    .action(async (container: string | undefined, { model, workspace, ...options }: ChatFlags) => {
      const { chatCommand } = await import('./commands/chat.js');
      done((await chatCommand({ ...options, ...runnableOf(container, model, workspace), signal }, io)) ? EXIT.interrupted : EXIT.ok);
    });
}

function addAccept(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  program
    .command('accept')
    .description("Has the vendor's own runtime load the bundle of a model for a device, in the emulator, and continue prompts: its tokens must be those of our runner.")
    .argument('<model>', 'folder of the model project, for example models/llama32-htp')
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .option('--prompt <text>', `text to continue greedily; may be given several times; else ${JSON.stringify(ACCEPTANCE.prompts[0])}`, everyWord)
    .option('--max-tokens <n>', 'tokens of an answer', wholeNumber, ACCEPTANCE.maxTokens)
    .option('--chip <name>', 'of a model for several chips: which one; else the first')
    .addOption(threadsOption())
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', '\nExample:\n  npx tundish accept models/llama32-htp --prompt "And God said" --max-tokens 64\n\nExits with 1 when a token differs, or the lint of bundles finds something.')
    .action(async (model: string, { workspace, prompt, ...options }: AcceptFlags) => {
      const { acceptCommand } = await import('./commands/accept.js');
      done(await acceptCommand({ ...options, prompts: prompt ?? ACCEPTANCE.prompts, ...placeOf(workspace, model), signal }, io));
    });
}

type AcceptFlags = Omit<AcceptOptions, 'prompts' | 'workspaceRoot' | 'modelRoot' | 'signal'> & { readonly workspace: string; readonly prompt?: readonly string[] };

type GenerateFlags = Omit<GenerateOptions, 'container' | 'model' | 'signal'> & RunnableFlags;

type ChatFlags = Omit<ChatOptions, 'container' | 'model' | 'signal'> & RunnableFlags;

interface RunnableFlags {
  readonly model?: string;
  readonly workspace: string;
}

/** A container, or the model that it is built from. @throws CLI_USAGE unless there is exactly one of them */
function runnableOf(container: string | undefined, model: string | undefined, workspace: string): Pick<GenerateOptions, 'container' | 'model'> {
  if ((container === undefined) === (model === undefined)) throw cliError('CLI_USAGE', { what: 'give a container or a model, one of the two', fix: 'models/llama32/artifacts/container, or --model models/llama32' });
  if (model === undefined) return { container: container as string };
  const place = placeOf(workspace, model);
  return { container: join(place.workspaceRoot, place.modelRoot, 'artifacts', 'container'), model: place };
}

/** What generate and chat have in common. */
function addSampling(command: Command, places: readonly Place[]): Command {
  return command
    .option('--model <folder>', 'model project in place of a container, for example models/llama32-htp; what runs here is built from it')
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .addOption(new Option('--on <place>', `of a model for a device: emulator, the vendor's kernels on this machine;${places.includes('genie') ? ' genie, the vendor\'s runtime over them;' : ''} host, our simulation`).choices(places))
    .option('--chip <name>', 'of a model for several chips: which one; else the first')
    .option('--max-tokens <n>', 'tokens to generate at most', wholeNumber)
    .option('--temperature <t>', 'randomness; 0 is greedy', realNumber)
    .option('--top-k <k>', 'keep the k most likely tokens; 0 keeps all', wholeNumber)
    .option('--top-p <p>', 'keep the most likely tokens up to this total probability', realNumber)
    .option('--seed <n>', 'seed of the draws', wholeNumber);
}
