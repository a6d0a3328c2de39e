/** The verb about toolchains: its words, options and help. */
import type { Command } from 'commander';
import type { ToolchainInstallOptions } from './commands/toolchain.js';
import type { Io } from './io.js';

export function addToolchainVerb(program: Command, io: Io, signal: AbortSignal): void {
  const toolchain = program.command('toolchain').description('Installs and lists the libraries of the vendor\'s compiler.');
  toolchain
    .command('install')
    .description('Fetches the libraries with pip, or takes them from a wheel, into the cache of this user. Says what and under which licence first.')
    .argument('<name>', 'qairt')
    .option('--accept-licence', 'say yes to the licence of the libraries; without it nothing is fetched', false)
    .option('--wheel <file>', 'wheel onnxruntime_qnn-*.whl that is there already, for machines without a network')
    .option('--version <version>', 'version of the wheel; default: the newest that is supported, or that of --wheel')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', '\nExample:\n  npx tundish toolchain install qairt --accept-licence\n\nExits with 0, also when the same is installed already, or with 3 when it is refused or fails; nothing stays behind then.')
    .action(async (name: string, options: InstallFlags) => {
      const { toolchainInstallCommand } = await import('./commands/toolchain.js');
      await toolchainInstallCommand({ ...options, name, signal }, io);
    });
  toolchain
    .command('list')
    .description('Lists the libraries that this machine has, the one that is used first: builds, versions, what they can do.')
    .option('--json', 'print one JSON array', false)
    .addHelpText('after', '\nLooked for in QAIRT_LIB_DIR, QAIRT_SDK_ROOT, QNN_SDK_ROOT, and what install left, in this order.')
    .action(async ({ json }: { readonly json: boolean }) => {
      const { toolchainListCommand } = await import('./commands/toolchain.js');
      await toolchainListCommand({ json, signal }, io);
    });
}

type InstallFlags = Omit<ToolchainInstallOptions, 'name' | 'signal'>;
