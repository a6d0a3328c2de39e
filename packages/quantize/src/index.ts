/** Quantization: techniques, calibration, encodings formats. */
export { assignEncodings } from './calibration/assign.js';
export type { Assignment, AssignRequest } from './calibration/assign.js';
export type { Range } from './calibration/encoding-rules.js';
export { FLOAT16_MASK, FLOAT_MASK, causalMask } from './calibration/windows.js';
export type { CalibrationInputs } from './calibration/windows.js';
export type { BlockCache, BlockFiles, BlockInputs } from './block-cache.js';
export * from './encodings.js';
export { openGivenModel } from './given/given-model.js';
export type { GivenModel, GivenModelRequest, GivenReport } from './given/given-model.js';
export { quantizeModel } from './quantize-model.js';
export type { Calibration, GivenScales, QuantizeRequest, QuantizeResult } from './quantize-request.js';
export type { WeightOptions } from './quantize-parameter.js';
export type { SegmentPlan } from './segments.js';
export type { MixedPrecision, RaisedLayer } from './mixed-precision/choose-layers.js';
export type { WeightSchemes } from './weight-scheme.js';
export type { LayerReport } from './engine/solve-group.js';
