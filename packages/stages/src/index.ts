/** The stages and the pipeline that runs them, with Nx or without. */
export * from './lock.js';
export * from './pipeline-entry.js';
export * from './outlook-entry.js';
export * from './custom-entry.js';
export { ACTIVATIONS_FILE } from './graph-files.js';
export { adaptCheckpoint, modelFacts } from './load/stage.js';
export { ADAPTATION_FILE, MODEL_FILE } from './stage-files.js';
export type { ModelFacts } from './load/stage.js';
export { readEncodings } from './read-encodings.js';
export { ropeTables } from './rope-tables.js';
export type { RopeTables } from './rope-tables.js';
