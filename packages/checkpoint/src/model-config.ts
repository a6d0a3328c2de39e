/** What a Llama-family config.json says, validated and with the defaults of transformers filled in. */
import type { Rope } from './rope.js';

/** Field names are those of config.json in camel case; ids are token ids. */
export interface ModelConfig {
  readonly modelType: string;
  readonly architectures: readonly string[];
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Divides `numAttentionHeads`; equal to it when the config is silent. */
  readonly numKeyValueHeads: number;
  /** Even; hiddenSize / numAttentionHeads when the config is silent. */
  readonly headDim: number;
  readonly rmsNormEps: number;
  readonly rope: Rope;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly hiddenAct: 'silu';
  readonly vocabSize: number;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number | null;
}

/** Defaults that generation_config.json suggests; a field is absent when the file or the field is. */
export interface GenerationConfig {
  readonly bosTokenId?: number;
  readonly eosTokenIds?: readonly number[];
  readonly padTokenId?: number;
  readonly doSample?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly repetitionPenalty?: number;
}
