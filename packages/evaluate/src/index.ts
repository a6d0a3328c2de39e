/** Perplexity, KL divergence, top-1 agreement under named, hashed protocols; SQNR of tensors. */
export { blockTableJson, formatBlockTable, formatDecibels } from './block-table.js';
export type { BlockErrors, BlockRow } from './block-table.js';
export { RowComparer, argmax, compareLogits } from './compare.js';
export type { RowComparison } from './compare.js';
export { evaluate } from './evaluate.js';
export type { EvaluationRequest, EvaluationResult, LogitSource } from './evaluate.js';
export { KERNEL_PROFILE, protocolHash, windowsOf } from './protocol.js';
export type { Protocol } from './protocol.js';
export { Sqnr } from './sqnr.js';
export { Summary } from './summary.js';
export type { Metrics } from './summary.js';
export { formatTable, requireSameProtocol } from './table.js';
