/** Architecture `llama` of GGUF as model_type `llama` of transformers: names, shapes, config. */
import { readTensorBytes } from '../tensor-bytes.js';
import { dequantizeBlocks } from './dequantize/dequantize.js';
import { readLlamaDimensions } from './llama-dimensions.js';
import type { LlamaDimensions } from './llama-dimensions.js';
import { MetadataFields } from './metadata-fields.js';
import type { ImportPlan, PlannedConfig, PlannedTensor } from './planned-tensor.js';
import type { GgufHeader } from './read-header.js';
import { readRopeScaling } from './rope-scaling.js';
import { TensorClaims } from './tensor-claims.js';

/** One module of a layer: its name in both worlds, and its shape. */
interface LayerPart {
  readonly gguf: string;
  readonly name: string;
  readonly shape: readonly number[];
  readonly interleaved?: boolean;
}

/**
 * Of rotated rows GGUF stores the pairs that rotate together side by side, transformers in two halves of each head
 * (`LlamaModel.permute` of llama.cpp's convert_hf_to_gguf.py).
 *
 * @throws TundishError GGUF_METADATA_INVALID, GGUF_TENSOR_MISSING, GGUF_TENSOR_UNKNOWN, GGUF_TENSOR_SHAPE, GGUF_ROPE_UNKNOWN
 */
export async function planLlama(header: GgufHeader): Promise<ImportPlan> {
  const fields = new MetadataFields(header);
  const dims = readLlamaDimensions(fields);
  const claims = new TensorClaims(header);
  const vocab = header.tensors.get('token_embd.weight')?.shape[0] ?? 0;
  const tied = !claims.holds('output.weight');
  const layers = Array.from({ length: Math.min(dims.layers, header.tensors.size + 1) }, (_, layer) => layer);
  const attentionBias = layers.some((n) => claims.holds(...['q', 'k', 'v', 'output'].map((part) => `blk.${n}.attn_${part}.bias`)));
  const mlpBias = layers.some((n) => claims.holds(...['gate', 'up', 'down'].map((part) => `blk.${n}.ffn_${part}.bias`)));
  const parts = [
    { gguf: 'token_embd.weight', name: 'model.embed_tokens.weight', shape: [vocab, dims.hidden] },
    ...layers.flatMap((layer) => layerParts(layer, dims, attentionBias, mlpBias)),
    { gguf: 'output_norm.weight', name: 'model.norm.weight', shape: [dims.hidden] },
    ...(tied ? [] : [{ gguf: 'output.weight', name: 'lm_head.weight', shape: [vocab, dims.hidden] }]),
  ];
  const tensors = claimParts(claims, parts, dims.headDim);
  const divisors = await readDivisors(header, claims, dims.headDim);
  claims.settle('llama');
  const scaling = readRopeScaling({ path: header.path, fields, architecture: 'llama', theta: dims.theta, headDim: dims.headDim, divisors });
  return { config: { ...configOf(dims, vocab), attention_bias: attentionBias, mlp_bias: mlpBias, rope_scaling: scaling, tie_word_embeddings: tied }, tensors, warnings: warningsOf(fields) };
}

function layerParts(layer: number, dims: LlamaDimensions, attentionBias: boolean, mlpBias: boolean): LayerPart[] {
  const { hidden, ffn, heads, kvHeads, headDim } = dims;
  const part = (gguf: string, name: string, shape: readonly number[], interleaved = false): LayerPart => ({
    gguf: `blk.${layer}.${gguf}`,
    name: `model.layers.${layer}.${name}`,
    shape,
    interleaved,
  });
  const linear = (gguf: string, name: string, [rows, columns]: readonly [number, number], bias: boolean, interleaved = false): LayerPart[] => [
    part(`${gguf}.weight`, `${name}.weight`, [rows, columns], interleaved),
    ...(bias ? [part(`${gguf}.bias`, `${name}.bias`, [rows], interleaved)] : []),
  ];
  return [
    part('attn_norm.weight', 'input_layernorm.weight', [hidden]),
    ...linear('attn_q', 'self_attn.q_proj', [heads * headDim, hidden], attentionBias, true),
    ...linear('attn_k', 'self_attn.k_proj', [kvHeads * headDim, hidden], attentionBias, true),
    ...linear('attn_v', 'self_attn.v_proj', [kvHeads * headDim, hidden], attentionBias),
    ...linear('attn_output', 'self_attn.o_proj', [hidden, heads * headDim], attentionBias),
    part('ffn_norm.weight', 'post_attention_layernorm.weight', [hidden]),
    ...linear('ffn_gate', 'mlp.gate_proj', [ffn, hidden], mlpBias),
    ...linear('ffn_up', 'mlp.up_proj', [ffn, hidden], mlpBias),
    ...linear('ffn_down', 'mlp.down_proj', [hidden, ffn], mlpBias),
  ];
}

function claimParts(claims: TensorClaims, parts: readonly LayerPart[], headDim: number): PlannedTensor[] {
  return parts.flatMap(({ gguf, name, shape, interleaved }) => {
    const source = claims.take(gguf, shape);
    return source === undefined ? [] : [{ name, source, ...(interleaved === true ? { interleavedHeadDim: headDim } : {}) }];
  });
}

async function readDivisors(header: GgufHeader, claims: TensorClaims, headDim: number): Promise<Float32Array | undefined> {
  if (!claims.holds('rope_freqs.weight')) return undefined;
  const tensor = claims.take('rope_freqs.weight', [headDim / 2]);
  if (tensor === undefined) return undefined;
  const divisors = new Float32Array(headDim / 2);
  dequantizeBlocks(tensor.type, await readTensorBytes(header.path, tensor), divisors);
  return divisors;
}

function configOf(dims: LlamaDimensions, vocab: number): PlannedConfig {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    head_dim: dims.headDim,
    hidden_act: 'silu',
    hidden_size: dims.hidden,
    intermediate_size: dims.ffn,
    max_position_embeddings: dims.context,
    num_attention_heads: dims.heads,
    num_hidden_layers: dims.layers,
    num_key_value_heads: dims.kvHeads,
    rms_norm_eps: dims.rmsNormEps,
    rope_theta: dims.theta,
    vocab_size: vocab,
  };
}

/** llama.cpp ignores the window as well, so results agree; only the author may have meant something else. */
function warningsOf(fields: MetadataFields): string[] {
  const window = fields.natural('llama.attention.sliding_window') ?? 0;
  return window === 0 ? [] : [`llama.attention.sliding_window is ${window}: the imported model attends to everything`];
}
