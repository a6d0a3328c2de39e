/** ONNX in memory: the IR, tensors as byte ranges, encodings. */
export { DataType, bitsOf, byteLength, dataTypeName, elementCount, isDataType } from './data-type.js';
export type { Encodings, LpbqEncoding, ParameterEncoding, PerChannelEncoding, PerTensorEncoding } from './encodings.js';
export { Graph, Node, Value } from './graph.js';
export type { Attribute, Dim, Model, NodeSpec, Use } from './graph.js';
export { bytesOf, floatTensor, inlineTensor, int64Tensor, integerValues, reshapeTensor, sliceRows } from './tensor.js';
export type { ExternalTensor, InlineTensor, Tensor } from './tensor.js';
export { decodeModel } from './decode-model.js';
export type { DecodeOptions } from './decode-model.js';
export { encodeModel } from './encode-model.js';
export { checkExternalFiles, externalLocations, rewriteLocations } from './external-data.js';
export { cloneModel, extractGraph } from './clone.js';
export { evaluateParameter } from './parameter.js';
export type { RowRange } from './parameter.js';
export { inferShapes } from './shape-inference/infer-shapes.js';
export { knownOps } from './shape-inference/op-table.js';
