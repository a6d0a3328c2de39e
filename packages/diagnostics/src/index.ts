/** Errors with code, what, why, evidence and fix; the reporter contract of the stages. */
export { TundishError, declareErrors, declaredErrors, messageOf, printable } from './error.js';
export type { ErrorFacts, Evidence } from './error.js';
export { recordingReporter, silentReporter } from './reporter.js';
export type { Progress, Reporter } from './reporter.js';
