/** The part of this package that an executor loads: the pipeline; stages load when they run. */
export { Pipeline } from './pipeline.js';
export type { PipelineRequest, UnitRun } from './pipeline-request.js';
export type { MeasuredMemory } from './memory/measure-memory.js';
export { eventFile, eventLines, beginEventFile } from './observe/event-lines.js';
export type { BuildEvent, ByteCounts, Observer, SpanIdentity, Usage } from './observe/event.js';
export type { ObserverHandlers } from './observe/recipe-observers.js';
export { beginTraceFile, traceFile } from './observe/trace-file.js';
export type { PieceCount } from './pieces.js';
export { stageOf } from './registry.js';
export { restoreContainer } from './restore-container.js';
export { buildModel, runStage, stageRun } from './run-stage.js';
export type { RunStageRequest, StageRun } from './run-stage.js';
export { replayEntry } from './replay/replay-entry.js';
export type { ReplayEntryRequest, ReplayReport, ReplayedOutput } from './replay/replay-entry.js';
export { reachOf } from './verify-model.js';
export type { Reach, ReachRequest } from './verify-model.js';
export type { Adapters, Piece, PieceRequest, Stage, StageContext, StageFile, StageInput, StageRequest, StageResult } from './stage.js';
export { loadUserModule } from './user-module.js';
