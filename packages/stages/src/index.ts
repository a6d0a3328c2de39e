/** The stages and the pipeline that runs them, with Nx or without. */
export * from './lock.js';
export { ACTIVATIONS_FILE, GRAPH_FILE, readActivations, readGraph } from './graph-files.js';
export { ADAPTATION_FILE, MODEL_FILE, adaptCheckpoint, modelFacts } from './load/stage.js';
export type { ModelFacts } from './load/stage.js';
export { readParameterEncodings } from './parameter-encodings.js';
export { Pipeline } from './pipeline.js';
export type { PipelineRequest, UnitRun } from './pipeline.js';
export { stageOf } from './registry.js';
export { ropeTables } from './rope-tables.js';
export type { RopeTables } from './rope-tables.js';
export { buildModel, runStage } from './run-stage.js';
export type { RunStageRequest, StageRun } from './run-stage.js';
export type { Adapters, Stage, StageContext, StageFile, StageInput, StageRequest, StageResult } from './stage.js';
