/** The record of an adaptation: which checkpoint bytes became which initializer, and what the values between blocks are called. */
import type { Checkpoint, ModelConfig } from '@tundish/checkpoint';
import type { DecoderStream } from './decoder/causal-decoder.js';

/** Where an initializer comes from: `length` bytes at `offset` of `file`. */
export interface TensorOrigin {
  readonly initializer: string;
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Names of the values around one decoder block. */
export interface AdaptedLayer {
  readonly index: number;
  /** Residual stream that enters the block, [1, AR, H]. */
  readonly hiddenIn: string;
  readonly afterAttention: string;
  /** Residual stream that leaves it, before any norm. */
  readonly hiddenOut: string;
  readonly pastKeyIn: string;
  readonly pastValueIn: string;
  readonly pastKeyOut: string;
  readonly pastValueOut: string;
}

/** Plain data, the same bytes for the same checkpoint; keys of `tensors` are sorted. */
export interface Adaptation {
  readonly schema: 1;
  readonly modelType: string;
  readonly base: { readonly ar: number; readonly cl: number };
  readonly dims: {
    readonly layers: number;
    readonly hidden: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly headDim: number;
    readonly ffn: number;
    readonly vocab: number;
  };
  readonly embedding: string;
  readonly layers: readonly AdaptedLayer[];
  /** Input of the head: the residual stream after the final norm. */
  readonly finalNorm: string;
  readonly logits: string;
  /** True when the head reads the embedding table. */
  readonly tied: boolean;
  readonly tensors: Readonly<Record<string, TensorOrigin>>;
}

/** @param used names of the checkpoint tensors that the graph reads */
export function describeAdaptation(checkpoint: Checkpoint, base: { ar: number; cl: number }, stream: DecoderStream, used: Iterable<string>): Adaptation {
  const { config } = checkpoint;
  return {
    schema: 1,
    modelType: config.modelType,
    base: { ar: base.ar, cl: base.cl },
    dims: dimsOf(config),
    embedding: stream.embedding.name,
    layers: stream.blocks.map((block, index) => ({
      index,
      hiddenIn: (stream.blocks[index - 1]?.output ?? stream.embedding).name,
      afterAttention: block.afterAttention.name,
      hiddenOut: block.output.name,
      pastKeyIn: `past_key_${index}_in`,
      pastValueIn: `past_value_${index}_in`,
      pastKeyOut: `past_key_${index}_out`,
      pastValueOut: `past_value_${index}_out`,
    })),
    finalNorm: stream.normalized.name,
    logits: stream.logits.name,
    tied: config.tieWordEmbeddings,
    tensors: originsOf(checkpoint, used),
  };
}

function dimsOf(config: ModelConfig): Adaptation['dims'] {
  return {
    layers: config.numHiddenLayers,
    hidden: config.hiddenSize,
    heads: config.numAttentionHeads,
    kvHeads: config.numKeyValueHeads,
    headDim: config.headDim,
    ffn: config.intermediateSize,
    vocab: config.vocabSize,
  };
}

function originsOf(checkpoint: Checkpoint, used: Iterable<string>): Record<string, TensorOrigin> {
  const origins: Record<string, TensorOrigin> = {};
  for (const name of [...used].sort()) {
    const tensor = checkpoint.tensors.get(name);
    if (tensor !== undefined) origins[name] = { initializer: name, file: tensor.file, offset: tensor.offset, length: tensor.length };
  }
  return origins;
}
