/** What the plugin shares with `tundish build`: the table of a run, and what a run may be asked. */
export { buildWatch } from './build/build-watch.js';
export type { BuildWatch, WatchWords } from './build/build-watch.js';
export { containerLines, describeResult, memoryLines, remoteLines, summaryTable } from './build/summary.js';
export type { ContainerSummary } from './build/summary.js';
