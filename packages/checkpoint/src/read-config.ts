/** Reads config.json and generation_config.json of a Llama-family checkpoint. */
import { printable } from '@tundish/diagnostics';
import { ConfigFields } from './config-fields.js';
import { fault } from './errors.js';
import { readJsonObject } from './json-file.js';
import type { GenerationConfig, ModelConfig } from './model-config.js';
import { readRope } from './rope-config.js';

export interface ReadModelConfig {
  readonly config: ModelConfig;
  readonly warnings: readonly string[];
}

/**
 * @param knownModelTypes what the architectures of this build can load
 * @throws TundishError CONFIG_*, CHECKPOINT_FILE_NOT_FOUND
 */
export async function readModelConfig(path: string, knownModelTypes: readonly string[]): Promise<ReadModelConfig> {
  const fields = new ConfigFields(path, await readJsonObject(path, 'CONFIG_NOT_JSON'));
  refuseWhatIsNotSupported(fields, knownModelTypes);
  const warnings: string[] = [];
  const vocabSize = fields.positiveInteger('vocab_size');
  const maxPositionEmbeddings = fields.positiveInteger('max_position_embeddings', 2048);
  const rmsNormEps = fields.number('rms_norm_eps', { fallback: 1e-6, must: '>= 0', holds: (value) => value >= 0 });
  if (rmsNormEps === 0) warnings.push('rms_norm_eps is 0: eps 0 divides by zero on a zero row');
  if (fields.get('rope_parameters') !== undefined && fields.get('rope_scaling') !== undefined) {
    warnings.push('config.json has rope_parameters and rope_scaling: rope_parameters is taken');
  }
  const config: ModelConfig = {
    modelType: fields.text('model_type') ?? '',
    architectures: readArchitectures(fields),
    ...readDimensions(fields),
    rmsNormEps,
    rope: readRope(fields, maxPositionEmbeddings),
    maxPositionEmbeddings,
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', false),
    attentionBias: fields.boolean('attention_bias', false),
    mlpBias: fields.boolean('mlp_bias', false),
    hiddenAct: 'silu',
    vocabSize,
    bosTokenId: checkIds(fields, 'bos_token_id', vocabSize)[0] ?? null,
    eosTokenIds: checkIds(fields, 'eos_token_id', vocabSize),
    padTokenId: readPadId(fields, vocabSize, warnings),
  };
  return { config, warnings };
}

/**
 * @param vocabSize ids at or beyond it are refused
 * @throws TundishError CONFIG_*
 */
export async function readGenerationConfig(path: string, vocabSize: number): Promise<GenerationConfig> {
  const fields = new ConfigFields(path, await readJsonObject(path, 'CONFIG_NOT_JSON'));
  const optional = (key: string, must: string, holds: (value: number) => boolean): number | undefined =>
    fields.get(key) === undefined ? undefined : fields.number(key, { must, holds });
  const given = {
    bosTokenId: checkIds(fields, 'bos_token_id', vocabSize)[0],
    eosTokenIds: fields.get('eos_token_id') === undefined ? undefined : checkIds(fields, 'eos_token_id', vocabSize),
    doSample: fields.get('do_sample') === undefined ? undefined : fields.boolean('do_sample', false),
    temperature: optional('temperature', '>= 0', (value) => value >= 0),
    topK: optional('top_k', 'a non-negative integer', (value) => Number.isSafeInteger(value) && value >= 0),
    topP: optional('top_p', 'between 0 and 1', (value) => value >= 0 && value <= 1),
    repetitionPenalty: optional('repetition_penalty', 'positive', (value) => value > 0),
    padTokenId: readPadId(fields, vocabSize, []) ?? undefined,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as GenerationConfig;
}

function refuseWhatIsNotSupported(fields: ConfigFields, knownModelTypes: readonly string[]): void {
  const evidence = { path: fields.path };
  if (fields.get('auto_map') !== undefined) {
    throw fault('CONFIG_REMOTE_CODE', {
      what: 'config.json asks for Python code from the checkpoint (auto_map)',
      why: 'Code from a checkpoint is never executed, and without it this is an unknown architecture.',
      evidence: { ...evidence, detail: 'field auto_map' },
      fix: 'Use a checkpoint whose model_type is supported without custom code.',
    });
  }
  const modelType = fields.text('model_type');
  if (modelType === undefined) throw fields.invalid('model_type', `is missing; known: ${knownModelTypes.join(' ')}`);
  if (!knownModelTypes.includes(modelType)) {
    throw fault('CONFIG_MODEL_TYPE_UNKNOWN', {
      what: `unknown model_type ${printable(modelType, 60)}; known: ${knownModelTypes.join(' ')}`,
      evidence: { ...evidence, detail: 'field model_type' },
      fix: 'Use a checkpoint of a known architecture, or add an architecture file for this one.',
    });
  }
  if (fields.get('quantization_config') !== undefined) {
    throw fault('CONFIG_QUANTIZED', {
      what: 'the checkpoint is already quantized (quantization_config in config.json), which is not supported',
      evidence: { ...evidence, detail: 'field quantization_config' },
      fix: 'Give the original checkpoint in bf16, fp16 or fp32.',
    });
  }
  const act = fields.text('hidden_act') ?? 'silu';
  if (act !== 'silu') throw fields.invalid('hidden_act', `is unknown: unknown hidden_act ${printable(act, 60)}; known: silu`);
  const rotary = fields.number('partial_rotary_factor', { fallback: 1, must: 'a number', holds: () => true });
  if (rotary !== 1) throw fields.invalid('partial_rotary_factor', `must be 1 for this architecture, found ${rotary}`);
}

function readDimensions(fields: ConfigFields): Pick<ModelConfig, 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads' | 'numKeyValueHeads' | 'headDim'> {
  const hiddenSize = fields.positiveInteger('hidden_size');
  const numAttentionHeads = fields.positiveInteger('num_attention_heads');
  const numKeyValueHeads = fields.positiveInteger('num_key_value_heads', numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads !== 0) {
    throw fields.invalid('num_key_value_heads', `must divide num_attention_heads, found ${numKeyValueHeads} and ${numAttentionHeads}`);
  }
  if (fields.get('head_dim') === undefined && hiddenSize % numAttentionHeads !== 0) {
    throw fields.invalid('head_dim', `is missing, and hidden_size ${hiddenSize} is not a multiple of num_attention_heads ${numAttentionHeads}`);
  }
  const headDim = fields.positiveInteger('head_dim', hiddenSize / numAttentionHeads);
  if (headDim % 2 !== 0) throw fields.invalid('head_dim', `must be even for rope, found ${headDim}`);
  const intermediateSize = fields.positiveInteger('intermediate_size');
  return { hiddenSize, intermediateSize, numHiddenLayers: fields.positiveInteger('num_hidden_layers'), numAttentionHeads, numKeyValueHeads, headDim };
}

function readArchitectures(fields: ConfigFields): readonly string[] {
  const value = fields.get('architectures') ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw fields.invalid('architectures', 'must be a list of names');
  return value;
}

function checkIds(fields: ConfigFields, key: string, vocabSize: number): readonly number[] {
  const ids = fields.tokenIds(key);
  const beyond = ids.find((id) => id >= vocabSize);
  if (beyond === undefined) return ids;
  const effect = key === 'eos_token_id' ? 'generation would never stop' : 'the embedding has no such row';
  throw fields.invalid(key, `${beyond} exceeds vocab_size ${vocabSize}: ${effect}`);
}

/** Old Llama configs say -1 for "none", so a useless padding id is dropped with a warning instead of refused. */
function readPadId(fields: ConfigFields, vocabSize: number, warnings: string[]): number | null {
  const id = fields.get('pad_token_id');
  if (id === undefined) return null;
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) throw fields.invalid('pad_token_id', 'must be a token id');
  if (id >= 0 && id < vocabSize) return id;
  warnings.push(`pad_token_id ${id} is not a token of the vocabulary (${vocabSize}) and is ignored`);
  return null;
}
