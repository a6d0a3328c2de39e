/** The part of this package that foresees builds: the lock that a recipe gives now, and what each unit would do; runs no stage. */
export { modelLayout } from './layout.js';
export { buildOutlook } from './outlook/outlook.js';
export type { UnitOutlook, UnitState } from './outlook/outlook.js';
export type { Prediction } from './outlook/predict.js';
export { Pipeline } from './pipeline.js';
export { placeOf } from './plan.js';
export { resolveLock } from './resolve-lock.js';
