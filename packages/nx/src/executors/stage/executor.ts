/** Runs one stage of one model, cell or part; all work is in @tundish/stages. */
import type { ExecutorContext } from '@nx/devkit';
import { describeResult } from '@tundish/cli/summary';
import { progressReporter } from '@tundish/cli/progress-reporter';
import { withRemote } from '@tundish/cli/remote-results';
import { formatBytes, formatSeconds } from '@tundish/diagnostics';
import { cacheRootOf, currentRun, hubAccess, hubCacheOf, taskWatch, threadsOf } from '../../environment.js';
import { claimPreflight, remoteMarks, writeRecord } from '../../run/run-record.js';
import { watchingObservers } from '../../run/watching-observers.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export interface StageOptions {
  readonly model: string;
  /** A stage of Tundish, or one of the recipe's own. */
  readonly stage: string;
  readonly subject?: string;
}

export default function stageExecutor(options: StageOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  return guarded(async (signal) => {
    const workspaceRoot = context.root;
    requireRunnableModel(options.model, context);
    // Also on a terminal no bar: Nx puts one in front of the task, stores every byte, and replays them on a cache hit.
    const reporter = progressReporter((text) => void process.stdout.write(text));
    const [{ runStage }, { adapters }] = await Promise.all([import('@tundish/stages/pipeline'), import('@tundish/cli/toolchains')]);
    const run = currentRun();
    const watch = taskWatch(workspaceRoot);
    const result = await runStage({
      workspaceRoot,
      modelRoot: options.model,
      cacheRoot: cacheRootOf(workspaceRoot),
      stage: options.stage,
      ...(options.subject === undefined ? {} : { subject: options.subject }),
      hubCache: hubCacheOf(),
      hub: hubAccess(),
      adapters,
      reporter,
      signal,
      threads: threadsOf(),
      inputsInPlace: true,
      observers: await watchingObservers(watch),
      ...(watch.maxMemory === undefined ? {} : { maxMemory: watch.maxMemory }),
      ...(await withRemote({ reporter, signal, ...(run === undefined ? {} : { marks: remoteMarks(workspaceRoot, run) }) })),
      ...(run === undefined ? {} : { startedAt: run.startedAt, preflight: () => claimPreflight(workspaceRoot, run, options.model) }),
    }).finally(() => reporter.close());
    if (run !== undefined) writeRecord(workspaceRoot, run, { task: `${context.projectName}:${context.targetName}`, ...result });
    console.log(`${options.stage}${options.subject === undefined ? '' : ` ${options.subject}`}: ${describeResult(result)}, ${formatSeconds(result.seconds)}, ${formatBytes(result.bytesWritten)} written, ${result.outputs} files`);
  });
}
