/** The umbrella `compile`: does no work, is never cached, and always says what happened. */
import type { ExecutorContext } from '@nx/devkit';
import { cacheRootOf, currentRun } from '../../environment.js';
import { ensureContainer } from '../../run/container.js';
import { readRecords } from '../../run/run-record.js';
import { containerLines, summaryTable } from '../../run/summary.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export interface SummaryOptions {
  readonly model: string;
}

export default function summaryExecutor(options: SummaryOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  return guarded(async () => {
    const project = context.projectName ?? options.model;
    const lock = requireRunnableModel(options.model, context);
    const run = currentRun();
    const records = run === undefined ? new Map() : readRecords(context.root, run);
    const wallSeconds = run === undefined ? 0 : (Date.now() - run.startedAt) / 1000;
    const container = await ensureContainer({ workspaceRoot: context.root, modelRoot: options.model, cacheRoot: cacheRootOf(context.root) });
    console.log(['', ...summaryTable(project, lock, records, wallSeconds), '', ...containerLines(project, container)].join('\n'));
  });
}
