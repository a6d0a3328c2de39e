/** The Nx plugin: inferred targets, executors, generators. */
export { PLUGIN_NAME, DEFAULT_MODELS_GLOB } from './plugin-options.js';
export type { TundishPluginOptions } from './plugin-options.js';
export { inferProjects } from './plan/infer-projects.js';
