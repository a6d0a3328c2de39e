/** One file per Hugging Face model_type: checkpoint to adapted graph. */
export type { Adaptation, AdaptedLayer, TensorOrigin } from './adaptation.js';
export type { AdaptOptions, Adapted, Architecture } from './architecture.js';
export { chooseBase } from './base-size.js';
export type { GraphSize } from './base-size.js';
export { architectureFor, architectures } from './registry.js';
export { MODEL_TYPES } from './model-types.js';
export type { ModelType } from './model-types.js';
