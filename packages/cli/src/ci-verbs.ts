/** The verb that plans builds over several runners: its words, options and help. */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { realNumber, wholeNumber } from './argument-values.js';
import type { CiMatrixOptions } from './commands/ci-matrix.js';
import type { Io } from './io.js';

/** A list of its own: naming the formats must not load them. */
const FORMATS = ['json', 'github', 'gitlab', 'kubernetes', 'argo'] as const satisfies readonly CiMatrixOptions['format'][];

export function addCiVerbs(program: Command, io: Io, signal: AbortSignal): void {
  program
    .command('ci-matrix')
    .description("Cuts a build into waves of shards for several runners, from Nx's own task graph, balanced by recorded times. Each shard is a command that works by itself; the remote cache carries results between them.")
    .argument('[models...]', 'names or folders of models; without them all')
    .option('--workspace <folder>', 'workspace that is meant', process.cwd())
    .option('--target <name>', 'target of the models', 'compile')
    .option('--base <revision>', 'only models that changed since this revision of git, as nx affected selects them')
    .option('--shards <n>', 'runners of one wave at most', runnerCount, 4)
    .option('--start <seconds>', 'what a runner needs before it can build; waves that save less are joined', realNumber, 60)
    .addOption(new Option('--format <name>', 'form of what is printed').choices(FORMATS).default('json'))
    .option('--image <reference>', 'container image of the jobs; required for kubernetes and argo')
    .option('--setup <command>', 'what each job runs first: npm ci unless said for gitlab, nothing for kubernetes and argo')
    .option('--name <name>', 'what names of jobs begin with, for kubernetes and argo: tundish unless said')
    .addHelpText('after', '\nExamples:\n  npx tundish ci-matrix --format github\n  npx tundish ci-matrix llama32 --shards 8 --format kubernetes --image builder:1 | kubectl apply -f -\n  npx tundish ci-matrix --base origin/main\n\nExits with 0, also when nothing changed, and with 3 when Nx cannot plan the build.')
    .action(async (models: readonly string[], { workspace, shards, start, ...options }: CiMatrixFlags) => {
      const { ciMatrixCommand } = await import('./commands/ci-matrix.js');
      await ciMatrixCommand({ ...options, models, workspaceRoot: resolve(workspace), count: shards, startSeconds: start, signal }, io);
    });
}

type CiMatrixFlags = Pick<CiMatrixOptions, 'target' | 'base' | 'format' | 'image' | 'setup' | 'name'> & { readonly workspace: string; readonly shards: number; readonly start: number };

function runnerCount(text: string): number {
  const count = wholeNumber(text);
  if (count === 0) throw new InvalidArgumentError('It must be 1 or more.');
  return count;
}
