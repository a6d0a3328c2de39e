/** The entry that nx.json names: infers the projects of each model, and keeps their locks in step with their recipes. */
import type { CreateNodes, CreateNodesResultArray, PreTasksExecution } from '@nx/devkit';
import { announceRun, announceWatch, claimStreams, inContinuousIntegration, taskWatch } from './environment.js';
import type { Interest } from './lock/refresh-locks.js';
import { findModelFolders, matchesModelsGlob, modelFolder } from './model-folders.js';
import type { ModelFolder } from './model-folders.js';
import { PLUGIN_NAME, modelsGlobOf } from './plugin-options.js';
import type { TundishPluginOptions } from './plugin-options.js';
import { pruneRuns } from './run/run-record.js';
import { watchWords } from './run/watch-words.js';

export const name = PLUGIN_NAME;

/**
 * Matches project.json and never the recipe or the lock: Nx takes every matched file for project configuration, and an edit
 * of one would make `nx affected` select all tasks of the project.
 */
export const createNodes: CreateNodes<TundishPluginOptions> = [
  '**/project.json',
  async (files, options, { workspaceRoot }) => {
    const glob = modelsGlobOf(options);
    const results: CreateNodesResultArray = [];
    for (const file of files.filter((f) => matchesModelsGlob(f, glob)).sort()) {
      const model = modelFolder(workspaceRoot, file);
      if (model === undefined) continue;
      const [{ inferProjects }, { recognizeModel }] = await Promise.all([import('./plan/infer-projects.js'), import('./plan/recognized-model.js')]);
      results.push([file, inferProjects(workspaceRoot, model, await recognizeModel(workspaceRoot, model))]);
    }
    return results;
  },
];

/** The name that Nx 21 and earlier look for. */
export const createNodesV2 = createNodes;

/** Before any task is hashed: locks are brought up to date (in CI: checked), and the run gets an identity for its records. */
export const preTasksExecution: PreTasksExecution<TundishPluginOptions> = async (options, { id, workspaceRoot, argv }) => {
  const models = findModelFolders(workspaceRoot, modelsGlobOf(options));
  if (models.length === 0) return;
  announceRun({ id, startedAt: Date.now() });
  if (models.some((model) => talksWith(model, argv.slice(2)))) claimStreams();
  pruneRuns(workspaceRoot);
  announceWatch(models.some((model) => compiles(model, argv.slice(2))) ? watchWords(argv.slice(2)) : {});
  const { beginWatch } = await import('./run/watching-observers.js');
  await beginWatch(taskWatch(workspaceRoot));
  const { assertLocksAreCurrent, refreshLocks } = await import('./lock/refresh-locks.js');
  const interest = (model: ModelFolder): Interest => interestIn(model, argv.slice(2));
  if (inContinuousIntegration()) await assertLocksAreCurrent(workspaceRoot, models, interest);
  else await refreshLocks(workspaceRoot, models, interest);
};

/** Decides what may be fetched: not a gigabyte because somebody builds another project. */
function interestIn(model: ModelFolder, words: readonly string[]): Interest {
  if (words.some((word) => word.startsWith(`${model.name}:`) || word.startsWith(`${model.name}/`))) return 'named';
  return words.some((word) => word === 'run-many' || word === 'affected' || word.includes(model.name)) ? 'possible' : 'none';
}

/** `nx run NAME:chat` and `nx chat NAME`, unless the terminal UI is asked for by name. */
function talksWith(model: ModelFolder, words: readonly string[]): boolean {
  if (words.some((word) => /^--tui(=true)?$/.test(word))) return false;
  return words.includes(`${model.name}:chat`) || (words[0] === 'chat' && words.includes(model.name));
}

/** `nx run NAME:compile` and `nx compile NAME`: options of other targets are not ours to read. */
function compiles(model: ModelFolder, words: readonly string[]): boolean {
  return words.includes(`${model.name}:compile`) || (words[0] === 'compile' && words.includes(model.name));
}
