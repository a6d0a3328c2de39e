/** The verbs about what was built: their words, options and help. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Io } from './io.js';

/** Every verb loads its code when it is called: the others start without it. */
export function addStoreVerbs(program: Command, io: Io, _signal: AbortSignal, _done: (code: number) => void): void {
  addInspect(program, io);
}

function addInspect(program: Command, io: Io): void {
  inWorkspace(program.command('inspect'))
    .description('Says what a file, a folder or a unit of a model is and holds, from headers alone: manifests, sidecars, cache entries, containers, locks, encodings, ONNX, safetensors, GGUF.')
    .argument('<subject>', 'a path, MODEL:STAGE, MODEL/SUBJECT:STAGE, or MODEL for the state of all its units')
    .addHelpText('after', '\nExamples:\n  npx tundish inspect models/llama32/checkpoint/model.safetensors\n  npx tundish inspect llama32:quantize\n  npx tundish inspect llama32/ar1-cl512-1of2:convert --json\n\nExits with 0, or with 3 when the subject is unknown or damaged.')
    .action(async (subject: string, { workspace, json }: StoreFlags) => {
      const { inspectCommand } = await import('./commands/inspect.js');
      await inspectCommand({ subject, workspaceRoot: resolve(workspace), json }, io);
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
