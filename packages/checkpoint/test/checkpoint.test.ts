import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TundishError, recordingReporter } from '@tundish/diagnostics';
import { describe, expect, test } from 'vitest';
import { cpuMilliseconds } from '../../../test/fixtures/cpu-time.js';
import { expectTensor, findNonFinite, isFloatDtype, openCheckpoint, readTensorBytes } from '../src/index.js';
import type { Checkpoint, ModelConfig } from '../src/index.js';
import { badCases, badPath, repositoryPath } from './fixtures.js';

/** What the message or the warning of each case says; absent: the case belongs to another package. */
const SAYS: Readonly<Record<string, RegExp>> = {
  'index-missing-shard': /shard model-00002-of-00002\.safetensors named by the index is missing; \d+ tensors need it/,
  'index-tensor-not-in-shard': /model\.layers\.1\.self_attn\.q_proj\.weight: not in the shard that the index names/,
  'index-lacks-a-tensor': /missing tensor model\.layers\.1\.self_attn\.q_proj\.weight: it is needed, and in model-\d+-of-00002\.safetensors, but not in the index/,
  'index-path-traversal': /shard path \.\.\/\.\.\/etc\/passwd leaves the checkpoint folder; refused before it is opened/,
  'index-absolute-path': /shard path \/etc\/passwd leaves the checkpoint folder/,
  'index-backslash-path': /shard path \.\.\\\.\.\\secret\.safetensors leaves the checkpoint folder/,
  'index-not-strings': /weight_map must map names to file names/,
  'index-no-weight-map': /weight_map is missing/,
  'index-truncated': /model\.safetensors\.index\.json is not valid JSON: .* at line \d+, column \d+/,
  'index-total-size-lies': /total_size is wrong/,
  'index-and-single-file': /both model\.safetensors and model\.safetensors\.index\.json are there.*model\.safetensors is taken/,
  'tensor-in-two-shards': /duplicate tensor model\.layers\.1\.self_attn\.q_proj\.weight/,
  'cfg-kv-heads-do-not-divide': /num_key_value_heads must divide num_attention_heads, found 3 and 2/,
  'cfg-kv-heads-lie': /k_proj\.weight: config asks \[16,16\], file has \[8,16\]/,
  'cfg-hidden-size-lies': /embed_tokens\.weight: config asks \[32,32\], file has \[32,16\]/,
  'cfg-ffn-lies': /gate_proj\.weight: config asks \[48,16\], file has \[24,16\]/,
  'cfg-vocab-lies': /embed_tokens\.weight: config asks \[40,16\], file has \[32,16\]/,
  'cfg-more-layers': /layers 2\.\.3: 18 tensors missing \(first: model\.layers\.2\./,
  'cfg-billion-layers': /num_hidden_layers 1000000000, the weights hold only \d+ tensors/,
  'cfg-odd-head-dim': /head_dim must be even for rope, found 7/,
  'cfg-zero-heads': /num_attention_heads must be a positive integer, found 0/,
  'cfg-string-number': /hidden_size must be a number, found "16"/,
  'cfg-eps-zero': /rms_norm_eps is 0: eps 0 divides by zero on a zero row/,
  'cfg-unknown-rope': /unknown rope_type banana; known: default linear llama3 yarn/,
  'cfg-llama3-rope-incomplete': /rope_scaling\.low_freq_factor is missing/,
  'cfg-llama3-rope-swapped': /rope_scaling\.high_freq_factor must be greater than low_freq_factor/,
  'cfg-rope-factor-zero': /rope_scaling\.factor must be >= 1, found 0/,
  'cfg-rope-theta-zero': /rope_theta must be positive, found 0/,
  'cfg-unknown-act': /unknown hidden_act swishy; known: silu/,
  'cfg-unknown-model-type': /unknown model_type zorblax; known: llama/,
  'cfg-no-model-type': /model_type is missing/,
  'cfg-remote-code': /auto_map[^]*never executed/,
  'cfg-quantized': /already quantized[^]*not supported[^]*fp16/,
  'cfg-truncated': /config\.json is not valid JSON: .* at line \d+, column \d+/,
  'cfg-array': /config\.json must be an object, found a list/,
  'cfg-python-nan': /NaN is not JSON .* at line \d+, column \d+/,
  'cfg-missing': /config\.json not found/,
  'tensor-missing': /missing tensor model\.layers\.1\.self_attn\.q_proj\.weight/,
  'tensor-missing-lm-head': /missing tensor lm_head\.weight[^]*is tie_word_embeddings wrong\?/i,
  'tensor-transposed': /k_proj\.weight: config asks \[8,16\], file has \[16,8\]/,
  'tensor-int8': /q_proj\.weight: dtype I8 is not a weight dtype of this architecture/,
  'weights-nan': /1 non-finite value in model\.layers\.1\.self_attn\.q_proj\.weight, first at 37/,
  'weights-inf': /1 non-finite value in model\.layers\.1\.self_attn\.q_proj\.weight, first at 37/,
  'weights-empty-file': /file is empty/,
  'weights-is-a-directory': /is a directory, a file was expected/,
  'weights-only-pickle': /no weights found[^]*pickle files are not read[^]*[Cc]onvert the weights to safetensors/,
  'weights-none': /no weights found in .*: looked for model\.safetensors/,
  'tokenizer-eos-beyond-vocab': /eos_token_id 99 exceeds vocab_size 32: generation would never stop/,
};

/** Decided by the architectures (what is not read) and by the tokenizer. */
const ELSEWHERE = /^(cfg-fewer-layers|tensor-unexpected|tensor-unexpected-bias|chat-template-.*|tokenizer-(?!eos).*)$/;

/** The names and shapes of a Llama, as far as these cases need them. */
function llamaTensors(config: ModelConfig): [string, number[]][] {
  const { hiddenSize: h, intermediateSize: f, headDim: d, vocabSize } = config;
  const [q, kv] = [config.numAttentionHeads * d, config.numKeyValueHeads * d];
  const list: [string, number[]][] = [['model.embed_tokens.weight', [vocabSize, h]]];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer: [string, number[]][] = [
      ['input_layernorm', [h]],
      ['self_attn.q_proj', [q, h]],
      ['self_attn.k_proj', [kv, h]],
      ['self_attn.v_proj', [kv, h]],
      ['self_attn.o_proj', [h, q]],
      ['post_attention_layernorm', [h]],
      ['mlp.gate_proj', [f, h]],
      ['mlp.up_proj', [f, h]],
      ['mlp.down_proj', [h, f]],
    ];
    for (const [name, shape] of layer) list.push([`model.layers.${i}.${name}.weight`, shape]);
  }
  list.push(['model.norm.weight', [h]]);
  if (!config.tieWordEmbeddings) list.push(['lm_head.weight', [vocabSize, h]]);
  return list;
}

/** Opens, checks every shape and looks for NaN; what is found wrong without an error is returned with the warnings. */
async function load(folder: string): Promise<{ readonly checkpoint: Checkpoint; readonly remarks: readonly string[] }> {
  const reporter = recordingReporter();
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: ['llama'], reporter });
  expect(reporter.warnings).toEqual(checkpoint.warnings);
  const remarks = [...reporter.warnings];
  for (const [name, shape] of llamaTensors(checkpoint.config)) {
    const tensor = expectTensor(checkpoint, name, shape);
    if (!isFloatDtype(tensor.dtype)) throw new TypeError('expectTensor lets only float types pass');
    const { count, first } = findNonFinite(tensor.dtype, await readTensorBytes(join(checkpoint.folder, tensor.file), tensor));
    if (count > 0) remarks.push(`${count} non-finite value in ${name}, first at ${first}`);
  }
  return { checkpoint, remarks };
}

describe('the table of bad checkpoints', () => {
  const cases = badCases('checkpoints').filter(({ path }) => !ELSEWHERE.test(path));
  test.each(cases.filter((entry) => entry.expect !== 'ok'))('$path: $wrong', async ({ path }) => {
    const start = cpuMilliseconds();
    const said = await load(badPath(`checkpoints/${path}`)).then(
      ({ remarks }) => remarks.join('\n'),
      (error: unknown) => {
        if (!(error instanceof TundishError)) throw error;
        expect(error.fix, 'every error says what to do').toBeTruthy();
        expect(error.evidence.path, 'every error says where').toBeTruthy();
        return error.message;
      },
    );
    expect(cpuMilliseconds() - start).toBeLessThan(1000);
    expect(said).toMatch(SAYS[path] ?? 'no expectation for this case');
  });

  test.each(cases.filter((entry) => entry.expect === 'ok'))('$path loads: $wrong', async ({ path }) => {
    const { checkpoint, remarks } = await load(badPath(`checkpoints/${path}`));
    expect(remarks).toEqual([]);
    expect(checkpoint.config.hiddenSize).toBe(16);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('golden checkpoints', () => {
  const names = ['llama-bias-fp32', 'llama-headdim-bf16', 'llama-mha-fp32', 'llama-mixed-dtype', 'llama-sharded-fp16'];
  test.each(names)('%s: every tensor is where the reference says', async (name) => {
    const folder = repositoryPath(`test/fixtures/golden/${name}`);
    const { checkpoint, remarks } = await load(folder);
    expect(remarks).toEqual([]);
    interface Golden { readonly checkpoint_tensors: Record<string, { file: string; dtype: string; shape: number[] }> }
    const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden;
    const found = Object.fromEntries([...checkpoint.tensors].map(([key, { file, dtype, shape }]) => [key, { file, dtype, shape }]));
    expect(found).toEqual(golden.checkpoint_tensors);
  });

  test('mini-llama: config, generation config and the files that belong to it', async () => {
    const { checkpoint } = await load(repositoryPath('models/llama32/checkpoint'));
    expect(checkpoint.files.map(({ name }) => name)).toEqual([
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(checkpoint.config).toMatchObject({ headDim: 32, numKeyValueHeads: 2, eosTokenIds: [4092], bosTokenId: 4091, tieWordEmbeddings: true });
    expect(checkpoint.config.rope).toEqual({ type: 'llama3', theta: 500_000, factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 256 });
    expect(checkpoint.generationConfig).toEqual({ bosTokenId: 4091, eosTokenIds: [4092, 4095] });
  });

  test('an aborted opening stops', async () => {
    const signal = AbortSignal.abort(new TypeError('stopped by the test'));
    await expect(openCheckpoint(repositoryPath('models/llama32/checkpoint'), { knownModelTypes: ['llama'], signal })).rejects.toThrow('stopped by the test');
  });
});
