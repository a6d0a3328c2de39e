/** The verbs that write graphs of a model for the tools of others: their words, options and help. */
import type { Command } from 'commander';
import { threadsOption } from './argument-values.js';
import type { ExportOptions } from './exported-build.js';
import type { Io } from './io.js';
import { placeOf } from './model-place.js';

/** Every verb loads its code when it is called. */
export function addExportVerbs(program: Command, io: Io, signal: AbortSignal): void {
  withExportOptions(program.command('export-dlc'), 'artifacts/dlc')
    .description('Writes every graph of a model for a device as a deep learning container (DLC), for the vendor\'s own tools. Each is composed back and executed: it must compute the same codes.')
    .addHelpText('after', '\nExample:\n  npx tundish export-dlc models/llama32-htp --to dlc\n\nExits with 3 when a container cannot be written, or computes something else.')
    .action(async (model: string, { workspace, ...options }: ExportFlags) => {
      const { exportDlcCommand } = await import('./commands/export-dlc.js');
      await exportDlcCommand({ ...options, ...placeOf(workspace, model), signal }, io);
    });
  withExportOptions(program.command('export-epcontext'), 'artifacts/epcontext')
    .description('Writes the context binaries of a model for a device, and of each graph an ONNX file around it, which ONNX Runtime executes with its QNN provider.')
    .addHelpText('after', '\nExample:\n  npx tundish export-epcontext models/llama32-htp')
    .action(async (model: string, { workspace, ...options }: ExportFlags) => {
      const { exportEpContextCommand } = await import('./commands/export-epcontext.js');
      await exportEpContextCommand({ ...options, ...placeOf(workspace, model), signal }, io);
    });
}

type ExportFlags = Omit<ExportOptions, 'workspaceRoot' | 'modelRoot' | 'signal'> & { readonly workspace: string };

function withExportOptions(command: Command, folder: string): Command {
  return command
    .argument('<model>', 'folder of the model project, for example models/llama32-htp')
    .option('--to <folder>', `folder for the files, which is made; else ${folder} of the model`)
    .option('--workspace <folder>', 'workspace that the model belongs to', process.cwd())
    .addOption(threadsOption())
    .option('--json', 'print one JSON array: path and bytes of every file', false);
}
