/** The verbs that measure: their words, options and help. */
import { QUANTIZE_RECIPES } from '@tundish/recipe/technique';
import { type Command, Option } from 'commander';
import { commaWords, everyWord, realNumber, threadsOption, wholeNumber } from './argument-values.js';
import type { CompareOptions } from './commands/compare.js';
import type { EvaluateOptions } from './commands/evaluate.js';
import type { FidelityOptions } from './commands/fidelity.js';
import type { ParityOptions } from './commands/parity.js';
import type { Io } from './io.js';
import { placeOf } from './model-place.js';

/** Every verb loads its code when it is called. */
export function addMeasureVerbs(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  addEvaluate(program, io, signal);
  addCompare(program, io, signal);
  addParity(program, io, signal, done);
  addFidelity(program, io, signal, done);
}

const PROTOCOL_HELP = 'how the text is cut, scored and averaged: mini, aimet-4096, aihub-4096, gptq-2048, llamacpp-512; else as the recipe says';
const WINDOWS_HELP = 'safetensors file whose tensor eval_windows holds the tokens to score; else the text of the recipe';

function addEvaluate(program: Command, io: Io, signal: AbortSignal): void {
  program
    .command('evaluate')
    .description('Measures results of a build, which may be partial, against the checkpoint: perplexity, KL divergence, top-1 agreement, multiple choice.')
    .argument('<model>', 'folder of the model project, for example models/llama32')
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .option('--stage <name>', 'measure the result of this stage, and only of stages so named: they alone must have been built; else load, the last graph before arcl, and package, the container', everyWord)
    .option('--protocol <name>', PROTOCOL_HELP)
    .option('--windows <file>', WINDOWS_HELP)
    .option('--limit <n>', 'score only the first windows, or ask only so many questions at equal distances', wholeNumber)
    .addOption(new Option('--on <place>', 'of a model for a device: host, our simulation, or emulator, the vendor\'s kernels on this machine, some 30 tokens a second at most; else host').choices(['host', 'emulator']))
    .option('--chip <name>', 'of a model for several chips: which one; else the first')
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

function addCompare(program: Command, io: Io, signal: AbortSignal): void {
  program
    .command('compare')
    .description('Quantizes one checkpoint by several recipes and measures each against it: perplexity, KL divergence, top-1 agreement, bytes, time, memory. The model itself stays as it is.')
    .argument('<model>', 'folder of the model project, for example models/llama32')
    .requiredOption('--recipes <list>', `what to compare, separated by commas: ${Object.keys(QUANTIZE_RECIPES).join(', ')}, each in place of the techniques of recipe.yaml; or NAME=FILE, another recipe over the same checkpoint`, commaWords)
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .option('--protocol <name>', PROTOCOL_HELP)
    .option('--windows <file>', WINDOWS_HELP)
    .option('--limit <n>', 'score only the first windows', wholeNumber)
    .addOption(threadsOption())
    .option('--json', 'print one JSON array, an object a recipe', false)
    .addHelpText('after', '\nExamples:\n  npx tundish compare models/llama32 --recipes minmax,fast,lpbq_gptaq\n  npx tundish compare models/llama32 --recipes fast,small=models/llama32/small.yaml --limit 8 --json')
    .action(async (model: string, { workspace, ...options }: CompareFlags) => {
      const { compareCommand } = await import('./commands/compare.js');
      await compareCommand({ ...options, ...placeOf(workspace, model), signal }, io);
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

function addFidelity(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  program
    .command('fidelity')
    .description('Says how well the simulation of the host predicts the device: every operation against exact arithmetic, every encoding against the compiled graph, logits over text.')
    .argument('<model>', 'folder of a model project that is built for a device, for example models/llama32-htp')
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .option('--chip <name>', 'of a model for several chips: which one; else the first')
    .option('--graphs <name>', 'AR and CL whose operations are measured, for example ar1-cl512; else the largest AR with the smallest CL')
    .option('--no-text', 'measure operations and encodings alone')
    .option('--protocol <name>', PROTOCOL_HELP)
    .option('--windows <file>', WINDOWS_HELP)
    .option('--limit <n>', 'compare logits over so many windows; else 2, since the emulator is slow', wholeNumber)
    .option('--html <file>', 'write the report also as a page that needs no other file')
    .addOption(threadsOption())
    .option('--json', 'print the report as JSON, every operation and encoding by name', false)
    .addHelpText('after', '\nExamples:\n  npx tundish fidelity models/llama32-htp --html fidelity.html\n  npx tundish fidelity models/llama32-htp --graphs ar1-cl512 --no-text --json\n\nWhat is missing is built. Exits with 1 when something does not pass its gate; docs/fidelity.md has the gates.')
    .action(async (model: string, { workspace, ...options }: FidelityFlags) => {
      const { fidelityCommand } = await import('./commands/fidelity.js');
      done(await fidelityCommand({ ...options, ...placeOf(workspace, model), signal }, io));
    });
}

type FidelityFlags = Omit<FidelityOptions, 'workspaceRoot' | 'modelRoot' | 'signal'> & { readonly workspace: string };

type EvaluateFlags = Omit<EvaluateOptions, 'workspaceRoot' | 'modelRoot' | 'signal'> & { readonly workspace: string };

type CompareFlags = Omit<CompareOptions, 'workspaceRoot' | 'modelRoot' | 'signal'> & { readonly workspace: string };

type ParityFlags = Omit<ParityOptions, 'checkpoint' | 'signal'>;
