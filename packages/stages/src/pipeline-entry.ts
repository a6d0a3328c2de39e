/** The part of this package that an executor loads: the pipeline; stages load when they run. */
export { Pipeline } from './pipeline.js';
export type { PipelineRequest, UnitRun } from './pipeline.js';
export type { PieceCount } from './pieces.js';
export { stageOf } from './registry.js';
export { restoreContainer } from './restore-container.js';
export { buildModel, runStage } from './run-stage.js';
export type { RunStageRequest, StageRun } from './run-stage.js';
export { buildOutlook } from './outlook/outlook.js';
export type { UnitOutlook, UnitState } from './outlook/outlook.js';
export type { Prediction } from './outlook/predict.js';
export { replayEntry } from './replay/replay-entry.js';
export type { ReplayEntryRequest, ReplayReport, ReplayedOutput } from './replay/replay-entry.js';
export { reachOf } from './verify-model.js';
export type { Reach, ReachRequest } from './verify-model.js';
export type { Adapters, Piece, PieceRequest, Stage, StageContext, StageFile, StageInput, StageRequest, StageResult } from './stage.js';
