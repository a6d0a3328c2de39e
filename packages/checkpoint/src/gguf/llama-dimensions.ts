/** The sizes of a `llama` model from the metadata of its GGUF file. */
import type { MetadataFields } from './metadata-fields.js';

export interface LlamaDimensions {
  readonly hidden: number;
  readonly ffn: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly context: number;
  readonly theta: number;
  readonly rmsNormEps: number;
}

/** Keys that make a `llama` file compute something that LlamaForCausalLM does not, and the values at which they do not. */
const FOREIGN: readonly (readonly [string, number | boolean])[] = [
  ['llama.expert_count', 0],
  ['llama.attention.causal', true],
  ['llama.attention.scale', 0],
  ['llama.attention.clamp_kqv', 0],
  ['llama.attention.max_alibi_bias', 0],
  ['llama.attn_logit_softcapping', 0],
  ['llama.final_logit_softcapping', 0],
  ['llama.embedding_scale', 1],
  ['llama.residual_scale', 1],
  ['llama.logit_scale', 1],
  ['llama.use_parallel_residual', false],
];

/** @throws TundishError GGUF_METADATA_INVALID */
export function readLlamaDimensions(fields: MetadataFields): LlamaDimensions {
  refuseForeignKeys(fields);
  const hidden = fields.positive('llama.embedding_length');
  const heads = fields.positive('llama.attention.head_count');
  const headDim = readHeadDim(fields, hidden, heads);
  const theta = fields.float('llama.rope.freq_base') ?? 10_000;
  if (theta <= 0) throw fields.invalid('llama.rope.freq_base', `must be positive, found ${theta}`);
  const rmsNormEps = fields.float('llama.attention.layer_norm_rms_epsilon');
  if (rmsNormEps === undefined) throw fields.invalid('llama.attention.layer_norm_rms_epsilon', 'is missing');
  return {
    hidden,
    ffn: sameInAllLayers(fields, 'llama.feed_forward_length'),
    layers: fields.positive('llama.block_count'),
    heads,
    kvHeads: readKvHeads(fields, heads),
    headDim,
    context: fields.positive('llama.context_length'),
    theta,
    rmsNormEps,
  };
}

function refuseForeignKeys(fields: MetadataFields): void {
  for (const [key, neutral] of FOREIGN) {
    if (!fields.has(key)) continue;
    const value = typeof neutral === 'boolean' ? fields.flag(key, neutral) : fields.float(key);
    if (value !== neutral) throw fields.invalid(key, `is ${String(value)}, which LlamaForCausalLM cannot do (${String(neutral)} is)`);
  }
}

function readHeadDim(fields: MetadataFields, hidden: number, heads: number): number {
  const headDim = fields.positive('llama.attention.key_length', hidden / heads);
  if (!Number.isInteger(headDim)) throw fields.invalid('llama.attention.head_count', `${heads} does not divide the embedding length ${hidden}`);
  if (headDim % 2 !== 0) throw fields.invalid('llama.attention.key_length', `must be even for rope, found ${headDim}`);
  for (const key of ['llama.attention.value_length', 'llama.rope.dimension_count']) {
    const other = fields.positive(key, headDim);
    if (other !== headDim) throw fields.invalid(key, `must be the key length ${headDim}, found ${other}`);
  }
  return headDim;
}

function readKvHeads(fields: MetadataFields, heads: number): number {
  const key = 'llama.attention.head_count_kv';
  const kvHeads = fields.has(key) ? sameInAllLayers(fields, key) : heads;
  if (heads % kvHeads !== 0) throw fields.invalid(key, `must divide head_count, found ${kvHeads} and ${heads}`);
  return kvHeads;
}

/** A number, or a list with the same number for every layer. */
function sameInAllLayers(fields: MetadataFields, key: string): number {
  if (!fields.isList(key)) return fields.positive(key);
  const [first, ...others] = fields.integers(key) ?? [];
  if (first !== undefined && first > 0 && others.every((other) => other === first)) return first;
  throw fields.invalid(key, 'differs between layers, which config.json cannot say');
}
