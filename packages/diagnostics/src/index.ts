/** Errors with code, what, why, evidence and fix; the reporter contract of the stages, and what its progress looks like. */
export { parseByteCount } from './byte-count.js';
export { TundishError, declareErrors, declaredErrors, messageOf, printable } from './error.js';
export type { ErrorFacts, Evidence } from './error.js';
export { ProgressDisplay } from './progress-display.js';
export type { Terminal } from './progress-display.js';
export { formatBytes, formatSeconds } from './quantities.js';
export { labelledLines, textTable } from './text-table.js';
export { recordingReporter, silentReporter } from './reporter.js';
export type { Progress, Reporter } from './reporter.js';
