/** A two-layer Llama as a GGUF file, with every knob that the import has to notice. */
import { float32Tensor } from './gguf-writer.js';
import type { MetadataEntry, WrittenTensor } from './gguf-writer.js';

export const TINY = { hidden: 16, ffn: 32, layers: 2, heads: 4, kvHeads: 2, headDim: 8, vocab: 12, context: 256 } as const;

export interface TinyOptions {
  readonly tied?: boolean;
  readonly attentionBias?: boolean;
  readonly mlpBias?: boolean;
}

/** Model keys without a tokenizer. */
export function tinyMetadata(): MetadataEntry[] {
  return [
    ['general.architecture', 'string', 'llama'],
    ['llama.block_count', 'u32', TINY.layers],
    ['llama.context_length', 'u32', TINY.context],
    ['llama.embedding_length', 'u32', TINY.hidden],
    ['llama.feed_forward_length', 'u32', TINY.ffn],
    ['llama.attention.head_count', 'u32', TINY.heads],
    ['llama.attention.head_count_kv', 'u32', TINY.kvHeads],
    ['llama.attention.key_length', 'u32', TINY.headDim],
    ['llama.attention.value_length', 'u32', TINY.headDim],
    ['llama.rope.dimension_count', 'u32', TINY.headDim],
    ['llama.rope.freq_base', 'f32', 10_000],
    ['llama.attention.layer_norm_rms_epsilon', 'f32', 1e-5],
  ];
}

export function tinyTokenizer(): MetadataEntry[] {
  const tokens = ['<s>', '</s>', 'a', 'b', 'c', '\u0120', 'ab', '\u0120a', 'd', 'e', 'f', '<|x|>'];
  return [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', 'gpt-2'],
    ['tokenizer.ggml.tokens', 'string', tokens],
    ['tokenizer.ggml.token_type', 'i32', tokens.map((token) => (token === '<|x|>' ? 4 : token.startsWith('<') ? 3 : 1))],
    ['tokenizer.ggml.merges', 'string', ['a b', '\u0120 a']],
    ['tokenizer.ggml.bos_token_id', 'u32', 0],
    ['tokenizer.ggml.eos_token_id', 'u32', 1],
  ];
}

/** Tensors of F32 whose values are all different and no float16. */
export function tinyTensors({ tied = true, attentionBias = false, mlpBias = false }: TinyOptions = {}): WrittenTensor[] {
  const { hidden, ffn, heads, kvHeads, headDim, vocab } = TINY;
  let next = 0;
  const tensor = (name: string, ...shape: number[]): WrittenTensor => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return float32Tensor(name, shape, Array.from({ length: count }, () => (next++ + 1 / 3) / 1000));
  };
  const layer = (n: number): WrittenTensor[] => {
    const linear = (name: string, rows: number, columns: number, bias: boolean): WrittenTensor[] => [
      tensor(`blk.${n}.${name}.weight`, rows, columns),
      ...(bias ? [tensor(`blk.${n}.${name}.bias`, rows)] : []),
    ];
    return [
      tensor(`blk.${n}.attn_norm.weight`, hidden),
      tensor(`blk.${n}.ffn_norm.weight`, hidden),
      ...linear('attn_q', heads * headDim, hidden, attentionBias),
      ...linear('attn_k', kvHeads * headDim, hidden, attentionBias),
      ...linear('attn_v', kvHeads * headDim, hidden, attentionBias),
      ...linear('attn_output', hidden, heads * headDim, attentionBias),
      ...linear('ffn_gate', ffn, hidden, mlpBias),
      ...linear('ffn_up', ffn, hidden, mlpBias),
      ...linear('ffn_down', hidden, ffn, mlpBias),
    ];
  };
  return [tensor('token_embd.weight', vocab, hidden), tensor('output_norm.weight', hidden), ...layer(0), ...layer(1), ...(tied ? [] : [tensor('output.weight', vocab, hidden)])];
}

/** The metadata with one key given another value, or removed. */
export function withKey(metadata: readonly MetadataEntry[], key: string, entry?: readonly [string, unknown]): MetadataEntry[] {
  const others = metadata.filter(([name]) => name !== key);
  return entry === undefined ? others : [...others, [key, ...entry]];
}
