/** What comes in: Hugging Face config, safetensors by byte range, hub cache. */
import type { Reporter } from '@tundish/diagnostics';
import type { FloatDtype, SafetensorsDtype } from './dtype.js';
import type { GenerationConfig, ModelConfig } from './model-config.js';

export { SAFETENSORS_DTYPES, dtypeBytes, isFloatDtype, isSafetensorsDtype } from './dtype.js';
export type { FloatDtype, SafetensorsDtype } from './dtype.js';
export type { GenerationConfig, ModelConfig } from './model-config.js';
export type { DefaultRope, LinearRope, Llama3Rope, Rope, YarnRope } from './rope.js';

export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}
export interface SafetensorsHeader {
  readonly path: string;
  readonly size: number;
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}
export interface CheckpointTensor {
  readonly name: string;
  readonly file: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}
export interface CheckpointFile {
  readonly name: string;
  readonly path: string;
}
export interface Checkpoint {
  readonly folder: string;
  readonly config: ModelConfig;
  readonly generationConfig: GenerationConfig;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  readonly unindexed: ReadonlyMap<string, string>;
  readonly files: readonly CheckpointFile[];
  readonly warnings: readonly string[];
}
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}
export interface LocateOptions {
  readonly baseFolder: string;
  readonly cacheFolder: string;
  readonly token?: string;
  readonly offline?: boolean;
  readonly reporter?: Reporter;
}
export interface LocatedCheckpoint {
  readonly folder: string;
  readonly kind: 'folder' | 'hub';
  readonly id?: string;
  readonly commit?: string;
}
export declare function readSafetensorsHeader(path: string): Promise<SafetensorsHeader>;
export declare function readTensorBytes(path: string, tensor: SafetensorsTensor | CheckpointTensor, rows?: { readonly begin: number; readonly end: number }): Promise<Uint8Array>;
export declare function widenToFloat32(dtype: FloatDtype, bytes: Uint8Array): Float32Array;
export declare function findNonFinite(dtype: FloatDtype, bytes: Uint8Array): { readonly count: number; readonly first: number };
export declare function openCheckpoint(folder: string, options: { readonly knownModelTypes: readonly string[]; readonly reporter?: Reporter; readonly signal?: AbortSignal }): Promise<Checkpoint>;
export declare function ropeFrequencies(config: Pick<ModelConfig, 'rope' | 'headDim'>): { readonly inverseFrequencies: readonly number[]; readonly attentionScaling: number };
export declare function expectTensor(checkpoint: Checkpoint, name: string, shape: readonly number[]): CheckpointTensor;
export declare function expectTensors(checkpoint: Checkpoint, expected: Iterable<ExpectedTensor>, options?: { readonly reporter?: Reporter }): readonly CheckpointTensor[];
export declare function locateCheckpoint(spec: string, options: LocateOptions): Promise<LocatedCheckpoint>;
