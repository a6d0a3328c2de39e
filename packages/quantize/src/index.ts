/** Quantization: techniques, calibration, encodings formats. */
export { assignEncodings } from './calibration/assign.js';
export type { Assignment, AssignRequest } from './calibration/assign.js';
export type { Range } from './calibration/encoding-rules.js';
export { FLOAT_MASK, causalMask } from './calibration/windows.js';
export type { CalibrationInputs } from './calibration/windows.js';
export type { BlockCache, BlockFiles, BlockInputs } from './block-cache.js';
export { ENCODINGS_VERSIONS } from './encodings-formats/document.js';
export type { BlockForm, BlockLayout, ChannelForm, EncodingsDocument, EncodingsEntry, EncodingsVersion, FloatForm, IntegerGrid, LpbqForm, TensorEncoding, TensorForm } from './encodings-formats/document.js';
export { documentOf } from './encodings-formats/document-of.js';
export { parseEncodings, readEncodingsFile } from './encodings-formats/read-encodings.js';
export type { ReadEncodingsOptions } from './encodings-formats/read-encodings.js';
export { isSameEncoding } from './encodings-formats/same-encoding.js';
export { writeEncodings } from './encodings-formats/write-encodings.js';
export { quantizeModel } from './quantize-model.js';
export type { Calibration, QuantizeRequest, QuantizeResult } from './quantize-model.js';
export type { WeightOptions } from './quantize-parameter.js';
export type { SegmentPlan } from './segments.js';
