import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordingReporter } from '@tundish/diagnostics';
import { afterAll, describe, expect, test } from 'vitest';
import { importGguf } from '../src/gguf/index.js';
import type { ImportGgufOptions, ImportedGguf } from '../src/gguf/index.js';
import { openCheckpoint, readSafetensorsHeader, readTensorBytes, widenToFloat32 } from '../src/index.js';
import type { Checkpoint, FloatDtype } from '../src/index.js';
import { TINY, tinyMetadata, tinyTensors, tinyTokenizer, withKey } from './gguf-tiny-llama.js';
import type { TinyOptions } from './gguf-tiny-llama.js';
import { float32Tensor, writeGguf } from './gguf-writer.js';
import type { MetadataEntry, WrittenTensor } from './gguf-writer.js';

const scratch = mkdtempSync(join(tmpdir(), 'tundish-gguf-import-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let runs = 0;

interface Imported {
  readonly result: ImportedGguf;
  readonly checkpoint: Checkpoint;
}

async function importTiny(
  { metadata = [...tinyMetadata(), ...tinyTokenizer()], tensors = tinyTensors() }: { metadata?: readonly MetadataEntry[]; tensors?: readonly WrittenTensor[] },
  options: Partial<ImportGgufOptions> = {},
): Promise<Imported> {
  const name = `run-${runs++}`;
  const folder = join(scratch, name);
  mkdirSync(folder);
  try {
    const result = await importGguf({ path: writeGguf(scratch, `${name}.gguf`, metadata, tensors), folder, dtype: 'float32', ...options });
    return { result, checkpoint: await openCheckpoint(folder, { knownModelTypes: ['llama'] }) };
  } catch (error) {
    expect(readdirSync(folder)).toEqual([]);
    throw error;
  }
}

async function valuesOf(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const tensor = checkpoint.tensors.get(name);
  if (tensor === undefined) throw new TypeError(`no ${name}`);
  return widenToFloat32(tensor.dtype as FloatDtype, await readTensorBytes(join(checkpoint.folder, tensor.file), tensor));
}

const floatsOf = ({ bytes }: WrittenTensor): Float32Array => new Float32Array(bytes.slice().buffer);
const metadata = [...tinyMetadata(), ...tinyTokenizer()];
const variants: readonly TinyOptions[] = [{}, { tied: false }, { attentionBias: true }, { mlpBias: true, attentionBias: true, tied: false }];

describe.each(variants)('a llama with %o', (variant) => {
  const tensors = tinyTensors(variant);

  test('config and tensors', async () => {
    const { checkpoint, result } = await importTiny({ tensors });
    const { hidden, ffn, layers, heads, kvHeads, headDim, vocab, context } = TINY;
    expect(checkpoint.config).toEqual({
      modelType: 'llama', architectures: ['LlamaForCausalLM'], hiddenSize: hidden, intermediateSize: ffn, numHiddenLayers: layers,
      numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, vocabSize: vocab, maxPositionEmbeddings: context, rmsNormEps: 1e-5,
      rope: { type: 'default', theta: 10_000 }, tieWordEmbeddings: variant.tied ?? true, attentionBias: variant.attentionBias ?? false,
      mlpBias: variant.mlpBias ?? false, hiddenAct: 'silu', bosTokenId: 0, eosTokenIds: [1], padTokenId: null,
    });
    expect(checkpoint.generationConfig).toEqual({ bosTokenId: 0, eosTokenIds: [1] });
    expect(checkpoint.warnings).toEqual([]);
    expect(checkpoint.tensors.size).toBe(tensors.length);
    expect(result).toMatchObject({ architecture: 'llama', tensors: tensors.length, types: { F32: tensors.length } });
    expect(result.files).toEqual(readdirSync(checkpoint.folder).sort());
  });

  test('values: Q and K rows go back into halves, everything else stays where it is', async () => {
    const { checkpoint } = await importTiny({ tensors });
    for (const tensor of tensors) {
      const values = await valuesOf(checkpoint, transformersName(tensor.name));
      const rotated = /attn_[qk]\./.test(tensor.name);
      expect([tensor.name, Buffer.from((rotated ? permute(values, TINY.headDim, tensor.shape[1] ?? 1) : values).buffer)]).toEqual([tensor.name, Buffer.from(tensor.bytes)]);
      if (rotated) expect(values).not.toEqual(floatsOf(tensor));
    }
  });
});

test('half of a head is rows 0, 2, 4, ... of the file', async () => {
  const rows = TINY.heads * TINY.headDim;
  const named = Float32Array.from({ length: rows * TINY.hidden }, (_, i) => Math.floor(i / TINY.hidden));
  const tensors = tinyTensors().map((tensor) => (tensor.name === 'blk.0.attn_q.weight' ? float32Tensor(tensor.name, tensor.shape, named) : tensor));
  const { checkpoint } = await importTiny({ tensors });
  const values = await valuesOf(checkpoint, 'model.layers.0.self_attn.q_proj.weight');
  expect([...values].filter((_, i) => i % TINY.hidden === 0).slice(0, 10)).toEqual([0, 2, 4, 6, 1, 3, 5, 7, 8, 10]);
});

describe('element types', () => {
  const halves = (name: string, type: number, code: number): WrittenTensor[] =>
    tinyTensors().map((tensor) => (tensor.name === name ? { ...tensor, type, bytes: new Uint8Array(new Uint16Array(tensor.bytes.length / 4).fill(code).buffer) } : tensor));
  const embedding = (value: number): WrittenTensor[] =>
    tinyTensors().map((tensor) => (tensor.name === 'token_embd.weight' ? float32Tensor(tensor.name, tensor.shape, new Float32Array(TINY.vocab * TINY.hidden).fill(value)) : tensor));

  test.each([
    ['F16', 1, 0x3c01, 'bfloat16', 'F16'],
    ['BF16', 30, 0x3f81, 'float16', 'BF16'],
    ['F16', 1, 0x3c01, 'float32', 'F32'],
    ['BF16', 30, 0x3f81, 'float32', 'F32'],
  ] as const)('%s (%i) asked for as %s', async (_, type, code, dtype, stored) => {
    const { checkpoint } = await importTiny({ tensors: halves('blk.1.ffn_up.weight', type, code) }, { dtype });
    const tensor = checkpoint.tensors.get('model.layers.1.mlp.up_proj.weight');
    expect(tensor?.dtype).toBe(stored);
    expect((await valuesOf(checkpoint, 'model.layers.1.mlp.up_proj.weight'))[5]).toBe(type === 1 ? 1 + 2 ** -10 : 1 + 2 ** -7);
  });

  test('matrices are rounded half to even; vectors stay F32 where the dtype does not hold them', async () => {
    const ones = float32Tensor('output_norm.weight', [TINY.hidden], new Float32Array(TINY.hidden).fill(1.5));
    const tensors = embedding(1 + 3 * 2 ** -11).map((tensor) => (tensor.name === ones.name ? ones : tensor));
    const { checkpoint } = await importTiny({ tensors }, { dtype: 'float16' });
    expect((await valuesOf(checkpoint, 'model.embed_tokens.weight'))[0]).toBe(1 + 2 ** -9);
    const dtypes = Object.fromEntries([...checkpoint.tensors].map(([name, { dtype }]) => [name, dtype]));
    expect([dtypes['model.embed_tokens.weight'], dtypes['model.norm.weight'], dtypes['model.layers.0.input_layernorm.weight']]).toEqual(['F16', 'F16', 'F32']);
  });

  test('a value beyond float16 names its tensor and proposes bfloat16', async () => {
    await expect(importTiny({ tensors: embedding(70_000) }, { dtype: 'float16' })).rejects.toThrow(
      /GGUF_TENSOR_OVERFLOW: [^]*model\.embed_tokens\.weight \(token_embd\.weight\): 70000 is too large for float16[^]*bfloat16/,
    );
    const { checkpoint } = await importTiny({ tensors: embedding(70_000) }, { dtype: 'bfloat16' });
    expect((await valuesOf(checkpoint, 'model.embed_tokens.weight'))[0]).toBe(70_144);
  });

  test('a type without a kernel is refused by name before anything is written', async () => {
    const tensors = tinyTensors().map((tensor) => (tensor.name === 'output_norm.weight' ? { ...tensor, type: 28, bytes: new Uint8Array(8 * TINY.hidden) } : tensor));
    await expect(importTiny({ tensors })).rejects.toThrow(/GGUF_TYPE_UNSUPPORTED: [^]*tensor output_norm\.weight: type F64 cannot be dequantized; known: F32/);
  });
});

describe('what is refused', () => {
  const without = (name: string): WrittenTensor[] => tinyTensors().filter((tensor) => tensor.name !== name);
  test.each<[string, RegExp, { metadata?: MetadataEntry[]; tensors?: WrittenTensor[] }]>([
    ['a missing tensor', /GGUF_TENSOR_MISSING: [^]*tensor blk\.1\.ffn_down\.weight is missing/, { tensors: without('blk.1.ffn_down.weight') }],
    ['a missing embedding', /tensor token_embd\.weight is missing/, { tensors: without('token_embd.weight') }],
    ['a bias for Q alone', /tensors blk\.0\.attn_k\.bias, [^]* are missing/, { tensors: [...tinyTensors(), float32Tensor('blk.0.attn_q.bias', [32], new Float32Array(32))] }],
    ['an extra tensor', /GGUF_TENSOR_UNKNOWN: [^]*tensor blk\.0\.attn_sinks\.weight is unknown/, { tensors: [...tinyTensors(), float32Tensor('blk.0.attn_sinks.weight', [4], [1, 2, 3, 4])] }],
    ['another shape', /GGUF_TENSOR_SHAPE: [^]*blk\.0\.ffn_norm\.weight: the metadata asks \[16\], the file has \[8\]/, { tensors: tinyTensors().map((t) => (t.name === 'blk.0.ffn_norm.weight' ? float32Tensor(t.name, [8], new Float32Array(8)) : t)) }],
    ['more layers than tensors', /GGUF_TENSOR_MISSING: [^]* and \d+ more are missing/, { metadata: withKey(metadata, 'llama.block_count', ['u32', 4_000_000_000]) }],
    ['another architecture', /GGUF_ARCHITECTURE_UNKNOWN: [^]*architecture qwen2 cannot be imported; known: llama/, { metadata: withKey(metadata, 'general.architecture', ['string', 'qwen2']) }],
    ['experts', /llama\.expert_count is 8/, { metadata: withKey(metadata, 'llama.expert_count', ['u32', 8]) }],
    ['partial rotation', /llama\.rope\.dimension_count must be the key length 8, found 4/, { metadata: withKey(metadata, 'llama.rope.dimension_count', ['u32', 4]) }],
    ['KV heads that differ', /llama\.attention\.head_count_kv differs between layers/, { metadata: withKey(metadata, 'llama.attention.head_count_kv', ['u32', [2, 1]]) }],
    ['a key of the wrong type', /llama\.embedding_length must be an integer, found string/, { metadata: withKey(metadata, 'llama.embedding_length', ['string', '16']) }],
    ['a key that is missing', /llama\.context_length is missing/, { metadata: withKey(metadata, 'llama.context_length') }],
    ['no tokens', /tokenizer\.ggml\.tokens is missing/, { metadata: withKey(metadata, 'tokenizer.ggml.tokens') }],
    ['more tokens than rows', /GGUF_TOKENIZER_INVALID: [^]*13 tokens, but the embedding token_embd\.weight has 12 rows/, { metadata: withKey(metadata, 'tokenizer.ggml.tokens', ['string', Array.from({ length: 13 }, (_, i) => `t${i}`)]) }],
    ['twins', /tokens 0 and 3 are both "a"/, { metadata: withKey(metadata, 'tokenizer.ggml.tokens', ['string', ['a', 'b', 'c', 'a', ...Array.from({ length: 8 }, (_, i) => `t${i}`)]]) }],
    ['a role beyond the vocabulary', /eos_token_id 99 is not a token of the vocabulary \(12\)/, { metadata: withKey(metadata, 'tokenizer.ggml.eos_token_id', ['u32', 99]) }],
    ['a merge of unknown tokens', /merge 0: "xy" is not a token/, { metadata: withKey(metadata, 'tokenizer.ggml.merges', ['string', ['a xy']]) }],
    ['an unknown tokenizer', /unknown tokenizer rwkv; known: gpt2 llama t5/, { metadata: withKey(metadata, 'tokenizer.ggml.model', ['string', 'rwkv']) }],
  ])('%s', async (_, says, parts) => {
    await expect(importTiny(parts)).rejects.toThrow(says);
  });

  test('an architecture that the caller does not know', async () => {
    await expect(importTiny({}, { knownArchitectures: ['gemma'] })).rejects.toThrow(/architecture llama cannot be imported; known: \n/);
  });

  test('a folder that is not empty, or not there', async () => {
    const folder = join(scratch, 'full');
    mkdirSync(folder);
    writeFileSync(join(folder, 'mine.txt'), 'mine');
    await expect(importGguf({ path: writeGguf(scratch, 'full.gguf', metadata, tinyTensors()), folder, dtype: 'float16' })).rejects.toThrow(/GGUF_FOLDER_NOT_EMPTY/);
    expect(readFileSync(join(folder, 'mine.txt'), 'utf8')).toBe('mine');
    await expect(importGguf({ path: join(scratch, 'full.gguf'), folder: join(scratch, 'nowhere'), dtype: 'float16' })).rejects.toThrow(/CHECKPOINT_FOLDER_NOT_FOUND/);
  });
});

test('an abort in the middle rejects with its reason and leaves nothing', async () => {
  const controller = new AbortController();
  const reporter = { ...recordingReporter(), progress: ({ done }: { done: number }) => void (done === 3 && controller.abort(new Error('enough'))) };
  await expect(importTiny({}, { signal: controller.signal, reporter })).rejects.toThrow('enough');
});

test('progress counts the tensors, and the same file gives the same bytes', async () => {
  const seen: string[] = [];
  const reporter = { ...recordingReporter(), progress: ({ label, done, total }: { label: string; done: number; total: number }) => void seen.push(`${label} ${done}/${total}`) };
  const first = await importTiny({ tensors: tinyTensors() }, { reporter });
  expect([seen.length, seen[0], seen.at(-1)]).toEqual([20, 'tensors 1/20', 'tensors 20/20']);
  const second = await importTiny({ tensors: tinyTensors() });
  for (const name of first.result.files) {
    expect(readFileSync(join(first.checkpoint.folder, name)).equals(readFileSync(join(second.checkpoint.folder, name)))).toBe(true);
  }
  expect((await readSafetensorsHeader(join(first.checkpoint.folder, 'model.safetensors'))).metadata.get('format')).toBe('pt');
});

test('a sliding window is heard of', async () => {
  const reporter = recordingReporter();
  const { result } = await importTiny({ metadata: withKey(metadata, 'llama.attention.sliding_window', ['u32', 64]) }, { reporter });
  expect(result.warnings).toEqual(reporter.warnings);
  expect(result.warnings.join()).toMatch(/sliding_window is 64/);
  expect(existsSync(join(result.folder, 'config.json'))).toBe(true);
});

function transformersName(name: string): string {
  const layer = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name);
  if (layer === null) return { 'token_embd.weight': 'model.embed_tokens.weight', 'output_norm.weight': 'model.norm.weight', 'output.weight': 'lm_head.weight' }[name] ?? name;
  const modules: Record<string, string> = {
    attn_norm: 'input_layernorm', ffn_norm: 'post_attention_layernorm', attn_q: 'self_attn.q_proj', attn_k: 'self_attn.k_proj', attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj', ffn_gate: 'mlp.gate_proj', ffn_up: 'mlp.up_proj', ffn_down: 'mlp.down_proj',
  };
  return `model.layers.${layer[1]}.${modules[layer[2] ?? '']}.${layer[3]}`;
}

/** What llama.cpp's converter does: new row h d + 2 j + s is old row h d + s d / 2 + j. */
function permute(values: Float32Array, headDim: number, columns: number): Float32Array {
  const permuted = new Float32Array(values.length);
  for (let row = 0; row < values.length / columns; row++) {
    const head = Math.floor(row / headDim) * headDim;
    const [s, j] = [(row - head) % 2, Math.floor((row - head) / 2)];
    permuted.set(values.subarray((head + (s * headDim) / 2 + j) * columns, (head + (s * headDim) / 2 + j + 1) * columns), row * columns);
  }
  return permuted;
}
