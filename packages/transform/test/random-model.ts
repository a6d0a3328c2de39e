/** Small Llama checkpoints of given sizes with random weights, made on disk and adapted by the real loader. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { architectureFor, chooseBase, type Adapted, type GraphSize } from '@tundish/architectures';
import { type Checkpoint, openCheckpoint } from '@tundish/checkpoint';

export interface RandomSizes {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly hidden: number;
  readonly ffn: number;
  readonly vocab: number;
  readonly tied: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** Mean of the entries of the embedding table, 0 by default. */
  readonly embeddingMean?: number;
}

export const SMALL: RandomSizes = { layers: 3, heads: 6, kvHeads: 2, headDim: 8, hidden: 40, ffn: 56, vocab: 51, tied: false, attentionBias: true, mlpBias: true };

export interface RandomModel {
  readonly folder: string;
  readonly checkpoint: Checkpoint;
  readonly base: GraphSize;
  adapt(size: GraphSize): Adapted;
  remove(): Promise<void>;
}

export async function randomModel(sizes: RandomSizes, seed = 1): Promise<RandomModel> {
  const folder = await mkdtemp(join(tmpdir(), 'tundish-llama-'));
  await writeFile(join(folder, 'config.json'), JSON.stringify(configOf(sizes)));
  await writeFile(join(folder, 'model.safetensors'), safetensors(shapesOf(sizes), seed, sizes.embeddingMean ?? 0));
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: ['llama'] });
  const architecture = architectureFor('llama');
  return {
    folder,
    checkpoint,
    base: chooseBase(architecture.sizes(checkpoint.config)),
    adapt: ({ ar, cl }) => architecture.adapt(checkpoint, { baseAr: ar, baseCl: cl }),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Removes the checkpoint afterwards, also when `use` fails: properties make one a run. */
export async function withModel(sizes: RandomSizes, use: (model: RandomModel) => Promise<void> | void): Promise<void> {
  const model = await randomModel(sizes);
  try {
    await use(model);
  } finally {
    await model.remove();
  }
}

function configOf(sizes: RandomSizes): Record<string, unknown> {
  return {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: sizes.hidden,
    intermediate_size: sizes.ffn,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kvHeads,
    head_dim: sizes.headDim,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    max_position_embeddings: 2048,
    hidden_act: 'silu',
    vocab_size: sizes.vocab,
    tie_word_embeddings: sizes.tied,
    attention_bias: sizes.attentionBias,
    mlp_bias: sizes.mlpBias,
    bos_token_id: 1,
    eos_token_id: 2,
  };
}

function shapesOf(sizes: RandomSizes): Map<string, readonly number[]> {
  const { hidden, ffn, vocab, headDim } = sizes;
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [vocab, hidden]], ['model.norm.weight', [hidden]]]);
  if (!sizes.tied) shapes.set('lm_head.weight', [vocab, hidden]);
  const linear = (name: string, rows: number, columns: number, bias: boolean): void => {
    shapes.set(`${name}.weight`, [rows, columns]);
    if (bias) shapes.set(`${name}.bias`, [rows]);
  };
  for (let layer = 0; layer < sizes.layers; layer++) {
    const at = `model.layers.${layer}`;
    shapes.set(`${at}.input_layernorm.weight`, [hidden]).set(`${at}.post_attention_layernorm.weight`, [hidden]);
    linear(`${at}.self_attn.q_proj`, sizes.heads * headDim, hidden, sizes.attentionBias);
    linear(`${at}.self_attn.k_proj`, sizes.kvHeads * headDim, hidden, sizes.attentionBias);
    linear(`${at}.self_attn.v_proj`, sizes.kvHeads * headDim, hidden, sizes.attentionBias);
    linear(`${at}.self_attn.o_proj`, hidden, sizes.heads * headDim, sizes.attentionBias);
    linear(`${at}.mlp.gate_proj`, ffn, hidden, sizes.mlpBias);
    linear(`${at}.mlp.up_proj`, ffn, hidden, sizes.mlpBias);
    linear(`${at}.mlp.down_proj`, hidden, ffn, sizes.mlpBias);
  }
  return shapes;
}

/** Roughly normal values of a scale that keeps activations near 1; norm gains are near 1. */
function safetensors(shapes: ReadonlyMap<string, readonly number[]>, seed: number, embeddingMean: number): Uint8Array {
  const header: Record<string, unknown> = {};
  const data: Float32Array[] = [];
  const random = lcg(seed);
  let offset = 0;
  for (const [name, shape] of shapes) {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const scale = shape.length === 1 ? 0.2 : 1.5 / Math.sqrt(shape[1] ?? 1);
    const centre = name.includes('norm') ? 1 : name.includes('embed') ? embeddingMean : 0;
    data.push(Float32Array.from({ length: count }, () => centre + scale * (random() + random() + random() + random() - 2)));
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += 4 * count)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...data.map((values) => Buffer.from(values.buffer))]);
}

function lcg(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32;
}
