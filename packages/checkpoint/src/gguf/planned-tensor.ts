/** What an architecture makes of a GGUF file: a config.json, and where each tensor of the checkpoint comes from. */
import type { GgufTensor } from './read-tensors.js';
import type { RopeScaling } from './rope-scaling.js';

export interface PlannedTensor {
  /** As transformers calls it. */
  readonly name: string;
  readonly source: GgufTensor;
  /** Set where the rows of each head are stored in pairs (2j, 2j + 1) and belong in halves (j, j + headDim / 2). */
  readonly interleavedHeadDim?: number;
}

/** Fields of config.json that follow from the model, without token ids and dtype. */
export interface PlannedConfig {
  readonly architectures: readonly string[];
  readonly model_type: string;
  readonly vocab_size: number;
  readonly [field: string]: string | number | boolean | readonly string[] | RopeScaling | null;
}

export interface ImportPlan {
  readonly config: PlannedConfig;
  /** In the order of the model. */
  readonly tensors: readonly PlannedTensor[];
  readonly warnings: readonly string[];
}
