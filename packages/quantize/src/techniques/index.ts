/** The techniques one by one, for programs that quantize layers of their own: docs/quantization says how they fit together. */
export { awq, smoothingFactors } from './awq/awq.js';
export type { AwqFactors, AwqOptions } from './awq/awq.js';
export { asymmetricUnsigned } from '../calibration/encoding-rules.js';
export type { Range } from '../calibration/encoding-rules.js';
export { compressScales, lpbqGrid } from '../lpbq/compress-scales.js';
export { gptaq } from './gptaq/gptaq.js';
export { factorGram, stepOrder } from './gptq/factor.js';
export type { GramFactor } from './gptq/factor.js';
export { gptq } from './gptq/gptq.js';
export { searchLpbqGrid } from './lpbq-grid/lpbq-grid.js';
export type { LpbqGridOptions } from './lpbq-grid/lpbq-grid.js';
export { polish } from './polish/polish.js';
export { seqMse, seqMsePerChannel } from './seqmse/seqmse.js';
export type { BlockSeqMseOptions, SeqMseOptions } from './seqmse/seqmse.js';
export { bestPart, correctionOf } from './target-correction/target-correction.js';
export type { ReferenceStatistics } from './target-correction/target-correction.js';
export { dequantize, outputLoss } from './weight-matrix.js';
export type { Compute, LayerWeight } from './weight-matrix.js';
