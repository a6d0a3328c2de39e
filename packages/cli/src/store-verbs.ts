/** The verbs about what was built: their words, options and help. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { byteCount, realNumber, threadsOption } from './argument-values.js';
import type { InspectOptions } from './commands/inspect.js';
import type { ReplayOptions } from './commands/replay.js';
import type { Io } from './io.js';

/** Every verb loads its code when it is called: the others start without it. */
export function addStoreVerbs(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  addInspect(program, io);
  addGc(program, io, done);
  addVerify(program, io, signal, done);
  addDoctor(program, io, done);
  addPlan(program, io, signal);
  addWhy(program, io, signal);
  addReplay(program, io, signal, done);
  addAttach(program, io, signal);
}

function addInspect(program: Command, io: Io): void {
  inWorkspace(program.command('inspect'))
    .description('Says what a file, a folder or a unit of a model is and holds, from headers alone: manifests, sidecars, cache entries, containers, locks, encodings, ONNX, safetensors, GGUF, context binaries and containers of the vendor.')
    .argument('<subject>', 'a path, MODEL:STAGE, MODEL/SUBJECT:STAGE, or MODEL for the state of all its units')
    .option('--onnx <file>', 'write a picture of the graphs of a context binary or a container, for viewers of ONNX such as Netron')
    .addHelpText('after', '\nExamples:\n  npx tundish inspect models/llama32/checkpoint/model.safetensors\n  npx tundish inspect llama32:quantize\n  npx tundish inspect llama32/ar1-cl512-1of2:convert --json\n\nExits with 0, or with 3 when the subject is unknown or damaged.')
    .action(async (subject: string, { workspace, ...options }: StoreFlags & Pick<InspectOptions, 'onnx'>) => {
      const { inspectCommand } = await import('./commands/inspect.js');
      await inspectCommand({ subject, workspaceRoot: resolve(workspace), ...options }, io);
    });
}

function addGc(program: Command, io: Io, done: (code: number) => void): void {
  program
    .command('gc')
    .description('Removes from the store what no model of the workspace needs and nobody has used lately; safe while builds run.')
    .option('--workspace <folders...>', 'workspaces whose models are kept; the store is that of the first', [process.cwd()])
    .option('--keep-days <n>', 'keep what was used in the last n days', realNumber, 7)
    .option('--max-size <size>', 'then remove what was used least lately until the store has this size, for example 20GB', byteCount)
    .option('--dry-run', 'say what would go and remove nothing', false)
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', '\nExamples:\n  npx tundish gc --dry-run\n  npx tundish gc --keep-days 2 --max-size 20GB\n\nKept always: what the stage manifests and containers of the models need, and what was used in the last hour.\nExits with 1 when that is larger than --max-size.')
    .action(async ({ workspace, maxSize, ...options }: GcFlags) => {
      const { gcCommand } = await import('./commands/gc.js');
      const [first = process.cwd(), ...others] = workspace.map((folder) => resolve(folder));
      done(await gcCommand({ ...options, workspaceRoots: [first, ...others], ...(maxSize === undefined ? {} : { maxBytes: maxSize }) }, io));
    });
}

interface GcFlags {
  readonly workspace: readonly string[];
  readonly keepDays: number;
  readonly maxSize?: number;
  readonly dryRun: boolean;
  readonly json: boolean;
}

function addVerify(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  inWorkspace(program.command('verify'))
    .description('Reads every file that the manifests of a model reach, or the whole store, and compares its digest; checks cache entries and their links.')
    .argument('[model]', 'name or folder of a model; without it the whole store')
    .addHelpText('after', '\nExamples:\n  npx tundish verify llama32\n  npx tundish verify --json\n\nExits with 1 when something is damaged; each damaged thing is listed with what to do.')
    .action(async (model: string | undefined, { workspace, json }: StoreFlags) => {
      const { verifyCommand } = await import('./commands/verify.js');
      done(await verifyCommand({ ...(model === undefined ? {} : { model }), workspaceRoot: resolve(workspace), json, signal }, io));
    });
}

function addDoctor(program: Command, io: Io, done: (code: number) => void): void {
  inWorkspace(program.command('doctor'))
    .description('Says what this machine and this workspace have: tools and versions, kernels, memory, disk, which toolchains can be built here; and what to do where something is missing.')
    .addHelpText('after', '\nExample:\n  npx tundish doctor\n\nExits with 1 when something is missing that builds need; warnings do not count.')
    .action(async ({ workspace, json }: StoreFlags) => {
      const { doctorCommand } = await import('./commands/doctor.js');
      done(await doctorCommand({ workspaceRoot: resolve(workspace), json }, io));
    });
}

function addPlan(program: Command, io: Io, signal: AbortSignal): void {
  inWorkspace(program.command('plan'))
    .description('Says which units a build would run and why, and what time, disk and memory that takes, from the last runs; runs nothing, writes nothing.')
    .argument('<model>', 'name or folder of a model')
    .addHelpText('after', '\nExample:\n  npx tundish plan llama32\n\nExits with 0, or with 3 when the recipe has a fault.')
    .action(async (model: string, { workspace, json }: StoreFlags) => {
      const { planCommand } = await import('./commands/plan.js');
      await planCommand({ model, workspaceRoot: resolve(workspace), json, signal }, io);
    });
}

function addWhy(program: Command, io: Io, signal: AbortSignal): void {
  inWorkspace(program.command('why'))
    .description('Says which fields of the key of a unit changed since its last build, old and new; when none did, which cache entry serves it.')
    .argument('<target>', 'MODEL:STAGE for all its units, or MODEL/SUBJECT:STAGE')
    .addHelpText('after', '\nExamples:\n  npx tundish why llama32:quantize\n  npx tundish why llama32/ar1-cl512-1of2:convert --json\n\nExits with 0, or with 3 when the target is unknown or the recipe has a fault.')
    .action(async (target: string, { workspace, json }: StoreFlags) => {
      const { whyCommand } = await import('./commands/why.js');
      await whyCommand({ target, workspaceRoot: resolve(workspace), json, signal }, io);
    });
}

function addReplay(program: Command, io: Io, signal: AbortSignal, done: (code: number) => void): void {
  inWorkspace(program.command('replay'))
    .description('Runs the stage of a cache entry again from its builder_cache_info.json, beside the cache, and compares the digest of every output.')
    .argument('<entry>', 'folder of the entry: CACHE_ROOT/MODEL/STAGE_KEY')
    .option('--save <folder>', 'put what comes out, and its stage.json, into a new folder')
    .addOption(threadsOption())
    .addHelpText('after', '\nExample:\n  npx tundish replay .tundish/cache/llama32/quantize_f61ffa38d01fe29783b2e6f27a9aa3f3\n\nExits with 1 when something differs, with 3 when the entry cannot be replayed.')
    .action(async (entry: string, { workspace, ...options }: StoreFlags & Pick<ReplayOptions, 'save' | 'threads'>) => {
      const { replayCommand } = await import('./commands/replay.js');
      done(await replayCommand({ entry, workspaceRoot: resolve(workspace), ...options, signal }, io));
    });
}

function addAttach(program: Command, io: Io, signal: AbortSignal): void {
  inWorkspace(program.command('attach'))
    .description('Takes intermediates that were made elsewhere into the cache: cache entries of another machine or workspace, checked file by file. A build whose keys are theirs goes on from them.')
    .argument('<folders...>', 'folders of entries: CACHE_ROOT/MODEL/STAGE_KEY, or CACHE_ROOT/MODEL for all that it holds')
    .option('--model <model>', 'name or folder of the model that is to have them; else the one that their folder is named after')
    .addHelpText('after', '\nExamples:\n  npx tundish attach /mnt/builder/cache/llama32\n  npx tundish attach ~/quantize_f61ffa38d01fe29783b2e6f27a9aa3f3 --model llama32\n\nWhether a build uses an entry, say plan and why. Exits with 0, or with 3 when an entry is damaged.')
    .action(async (folders: string[], { workspace, model, json }: StoreFlags & { readonly model?: string }) => {
      const { attachCommand } = await import('./commands/attach.js');
      await attachCommand({ folders, ...(model === undefined ? {} : { model }), workspaceRoot: resolve(workspace), json, signal }, io);
    });
}

/** What all of these verbs take. */
interface StoreFlags {
  readonly workspace: string;
  readonly json: boolean;
}

function inWorkspace(command: Command): Command {
  return command.option('--workspace <folder>', 'workspace that is meant', process.cwd()).option('--json', 'print one JSON value', false);
}
