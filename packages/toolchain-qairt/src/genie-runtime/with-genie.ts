/** The vendor's own runtime on a bundle: the last word on whether it is one. */
import { resolve } from 'node:path';
import { withChild } from '../child/child.js';
import { childOptionsOf } from '../libraries/describe.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';
import { GenieDialog } from './dialog.js';
import { greedyConfig } from './greedy-config.js';
import { type GraphMemoryEstimate, memoryEstimates } from './memory-estimate.js';
import { runnableBundle } from './runnable-bundle.js';

export interface GenieOptions {
  /** Aborting kills the process, whatever it does. */
  readonly signal?: AbortSignal;
  /** For making the dialog; ten minutes when absent. */
  readonly deadlineMs?: number;
  /** Takes the likeliest token at every step, whatever sampler the configuration has, and waits without polling. */
  readonly greedy?: boolean;
}

/** Verbose: with it the log tells what memory the graphs need. */
const LOG_LEVEL = 4;

/**
 * Makes a dialog over the bundle in this folder for the time of one work. Its parts are without shared weights: such can be loaded
 * on a device only.
 *
 * @throws GENIE_CONFIG_JSON, GENIE_CONFIG_SCHEMA, GENIE_DIALOG_REFUSED in Genie's words; what `runnableBundle` and `Child.call` throw
 */
export async function withGenie<T>(libraries: QairtLibraries, bundleFolder: string, { signal, deadlineMs, greedy = false }: GenieOptions, use: (dialog: GenieDialog) => Promise<T>): Promise<T> {
  // Paths in the configuration are relative to the bundle, and Genie takes them as relative to its working folder.
  const folder = resolve(bundleFolder);
  const abort = signal === undefined ? {} : { signal };
  const { config, values } = await runnableBundle(libraries, folder, signal);
  return withChild({ ...childOptionsOf(libraries), ...abort, folder }, async (child) => {
    const log = await child.call('openDialog', { library: libraryPath(libraries, 'genie'), config: greedy ? greedyConfig(config) : config, logLevel: LOG_LEVEL }, { subject: folder, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
    const result = await use(new GenieDialog(child, folder, values.vocabulary, memoryEstimates(log)));
    await child.call('closeDialog', {}, { subject: folder });
    return result;
  });
}

/**
 * Has Genie read the configuration, load the parts and make a dialog, and end it.
 *
 * @returns what the graphs need in its own estimate
 * @throws as `withGenie`
 */
export async function validateBundle(libraries: QairtLibraries, bundleFolder: string, options: GenieOptions = {}): Promise<readonly GraphMemoryEstimate[]> {
  return withGenie(libraries, bundleFolder, options, async ({ memory }) => memory);
}
