/** GGUF files: their header, their blocks, and their import as a Hugging Face checkpoint. */
export { dequantizeBlocks } from './dequantize/dequantize.js';
export { importGguf } from './import-gguf.js';
export type { ImportDtype, ImportGgufOptions, ImportedGguf } from './import-gguf.js';
export type { GgufScalar, GgufScalarType, GgufValue, GgufValueType } from './metadata-values.js';
export { readGgufHeader } from './read-header.js';
export type { GgufHeader } from './read-header.js';
export type { GgufTensor } from './read-tensors.js';
export { tensorTypeOf } from './tensor-types.js';
export type { GgufTensorType } from './tensor-types.js';
export { GGUF_IMPORT_VERSION } from './version.js';
