/** The part of this package that foresees builds: the lock that a recipe gives now, and what each unit would do, whether it can succeed; runs no stage. */
export { modelLayout } from './layout.js';
export { buildOutlook, unitOutlooks } from './outlook/outlook.js';
export type { UnitOutlook, UnitState } from './outlook/outlook.js';
export type { Prediction } from './outlook/predict.js';
export { unitCosts } from './outlook/unit-costs.js';
export type { UnitCost } from './outlook/unit-costs.js';
export { Pipeline } from './pipeline.js';
export { placeOf } from './plan.js';
export { preflight } from './preflight/preflight.js';
export type { Estimates, StageNeeds } from './preflight/estimates.js';
export type { MachineRoom } from './preflight/machine.js';
export type { Finding, Preflight, PreflightRequest } from './preflight/preflight.js';
export { resolveLock } from './resolve-lock.js';
