/**
 * `node print-summary.js MODEL-FOLDER`, the program of the umbrella `compile`: what this run did, and where the container is.
 * A program and not an executor, because Nx takes 0.3 s to start an executor and a build that is cached takes hardly more.
 */
import { containerLines, memoryLines, remoteLines, summaryTable } from '@tundish/cli/summary';
import { guarded } from '../executors/guard.js';
import { currentRun, taskWatch } from '../environment.js';
import { requireLock } from '../lock/lock-file.js';
import { refusalOf } from '../lock/model-state.js';
import { modelFolder } from '../model-folders.js';
import { ensureContainer } from './container.js';
import { readRecords } from './run-record.js';

const [modelRoot = ''] = process.argv.slice(2);

const { success } = await guarded(async (signal) => {
  const workspaceRoot = process.cwd();
  const refusal = refusalOf(modelRoot);
  if (refusal !== undefined) throw refusal;
  const lock = requireLock(workspaceRoot, modelRoot);
  // Tasks have the name of the project, which need not be that of the folder.
  const project = modelFolder(workspaceRoot, `${modelRoot}/project.json`)?.name ?? lock.model;
  const run = currentRun();
  const records = run === undefined ? new Map() : readRecords(workspaceRoot, run);
  const container = await ensureContainer({ workspaceRoot, modelRoot, signal });
  const wallSeconds = run === undefined ? 0 : (Date.now() - run.startedAt) / 1000;
  console.log(['', ...summaryTable(project, lock, records, wallSeconds), '', ...memoryLines(records, taskWatch(workspaceRoot).maxMemory), ...remoteLines(records, container.traffic), ...containerLines(project, container)].join('\n'));
});
process.exitCode = success ? 0 : 1;
