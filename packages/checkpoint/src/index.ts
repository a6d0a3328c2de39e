/** What comes in: Hugging Face config, safetensors by byte range, hub cache. */
export { openCheckpoint } from './checkpoint.js';
export type { Checkpoint, CheckpointFile, CheckpointTensor, OpenCheckpointOptions } from './checkpoint.js';
export { SAFETENSORS_DTYPES, dtypeBytes, isFloatDtype, isSafetensorsDtype } from './dtype.js';
export type { FloatDtype, SafetensorsDtype } from './dtype.js';
export { expectTensor } from './expect-tensor.js';
export { locateCheckpoint } from './locate.js';
export type { LocateOptions, LocatedCheckpoint } from './locate.js';
export type { GenerationConfig, ModelConfig } from './model-config.js';
export type { DefaultRope, LinearRope, Llama3Rope, Rope, YarnRope } from './rope.js';
export { ropeFrequencies } from './rope-frequencies.js';
export type { RopeFrequencies } from './rope-frequencies.js';
export { readModelConfig } from './read-config.js';
export type { ReadModelConfig } from './read-config.js';
export { readSafetensorsHeader } from './safetensors.js';
export type { SafetensorsHeader, SafetensorsTensor } from './safetensors.js';
export { findNonFinite, readTensorBytes, widenToFloat32 } from './tensor-bytes.js';
export type { TensorRange } from './tensor-bytes.js';
