/** The part of this package that modules of custom stages import: it loads quickly, and no other stage is part of their digest. */
export { z } from 'zod';
export { defineStage } from './custom/define-stage.js';
export type { CustomContext, CustomRequest, CustomResult, CustomStage } from './custom/define-stage.js';
export { WeightFile, parameterValues, tensorBytes } from './custom/weights.js';
export { GRAPH_FILE, graphFile, jsonFile, readGraph, readJson } from './graph-files.js';
export { MEDIA } from './stage.js';
export type { StageFile, StageInput } from './stage.js';
export type { Reporter } from '@tundish/diagnostics';
export type { Graph, Model, Node, Tensor, Value } from '@tundish/graph';
