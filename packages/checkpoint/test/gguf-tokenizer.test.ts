import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as PipelineTokenizer } from '@huggingface/tokenizers';
import { loadTokenizer } from '@tundish/tokenizer';
import type { Tokenizer } from '@tundish/tokenizer';
import { afterAll, describe, expect, test } from 'vitest';
import { importGguf } from '../src/gguf/index.js';
import { repositoryPath } from './fixtures.js';
import { TINY, tinyMetadata, tinyTensors } from './gguf-tiny-llama.js';
import { float32Tensor, writeGguf } from './gguf-writer.js';
import type { MetadataEntry } from './gguf-writer.js';

interface StringVector {
  readonly text: string;
  readonly ids: number[];
  readonly ids_with_special: number[];
  readonly decode: string;
}

interface TokenizerJson {
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  readonly model: { readonly vocab: Record<string, number> & [string, number][]; readonly merges: [string, string][] };
}

const scratch = mkdtempSync(join(tmpdir(), 'tundish-gguf-tokenizer-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const vectorsOf = (name: string): StringVector[] =>
  (JSON.parse(readFileSync(repositoryPath(`test/fixtures/tokenizers/${name}.json`), 'utf8')) as { strings: StringVector[] }).strings;
const tokenizerOf = (folder: string): TokenizerJson => JSON.parse(readFileSync(join(repositoryPath(folder), 'tokenizer.json'), 'utf8')) as TokenizerJson;

let runs = 0;

/** Imports a model with this tokenizer, and @returns the folder. */
async function importWith(tokenizer: readonly MetadataEntry[]): Promise<string> {
  const name = `run-${runs++}`;
  const folder = mkdtempSync(join(scratch, `${name}-`));
  const count = (tokenizer.find(([key]) => key === 'tokenizer.ggml.tokens')?.[2] as unknown[]).length;
  const embedding = float32Tensor('token_embd.weight', [count, TINY.hidden], new Float32Array(count * TINY.hidden));
  const tensors = [embedding, ...tinyTensors().filter((tensor) => tensor.name !== embedding.name)];
  await importGguf({ path: writeGguf(scratch, `${name}.gguf`, [...tinyMetadata(), ...tokenizer], tensors), folder, dtype: 'float16' });
  return folder;
}

/** Arrays as llama.cpp's converter writes them: types by kind, special tokens 0 to 2 as in Llama 2. */
function arrays(model: string, tokens: readonly string[], scores: readonly number[]): MetadataEntry[] {
  const typeOf = (token: string, id: number): number => (id === 0 ? 2 : id < 3 ? 3 : /^<0x[0-9A-F]{2}>$/.test(token) ? 6 : 1);
  return [
    ['tokenizer.ggml.model', 'string', model],
    ['tokenizer.ggml.tokens', 'string', tokens],
    ['tokenizer.ggml.scores', 'f32', scores],
    ['tokenizer.ggml.token_type', 'i32', tokens.map(typeOf)],
    ['tokenizer.ggml.bos_token_id', 'u32', 1],
    ['tokenizer.ggml.eos_token_id', 'u32', 2],
    ['tokenizer.ggml.unknown_token_id', 'u32', 0],
  ];
}

function expectVectors(tokenizer: Tokenizer, vectors: readonly StringVector[]): void {
  for (const { text, ids, ids_with_special, decode } of vectors) {
    expect([text, tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, ids]);
    expect(tokenizer.encode(text)).toEqual(ids_with_special);
    expect(tokenizer.decode(ids)).toBe(decode);
  }
}

describe('SentencePiece by score', async () => {
  const { vocab, merges } = tokenizerOf('test/fixtures/tokenizers/bpe-metaspace').model;
  const tokens = Object.entries(vocab).sort(([, a], [, b]) => a - b).map(([token]) => token);
  const rank = new Map<string, number>();
  for (const [index, pair] of merges.entries()) if (!rank.has(pair.join(''))) rank.set(pair.join(''), index);
  const scores = tokens.map((token) => -(rank.get(token) ?? 1000));

  test('gives the ids of the tokenizer that it came from', async () => {
    expectVectors(await loadTokenizer(await importWith(arrays('llama', tokens, scores))), vectorsOf('bpe-metaspace'));
  });

  test('without a space in front and without bos', async () => {
    const plain: MetadataEntry[] = [['tokenizer.ggml.add_space_prefix', 'bool', false], ['tokenizer.ggml.add_bos_token', 'bool', false]];
    const tokenizer = await loadTokenizer(await importWith([...arrays('llama', tokens, scores), ...plain]));
    const ids = tokenizer.encode('the end');
    expect(ids.map((id) => tokenizer.tokenOf(id)).join('')).toBe('the\u2581end');
    expect(tokenizer.decode(ids)).toBe('the end');
  });

  test('bos and eos around the text when the file says so', async () => {
    const tokenizer = await loadTokenizer(await importWith([...arrays('llama', tokens, scores), ['tokenizer.ggml.add_eos_token', 'bool', true]]));
    const ids = tokenizer.encode('the');
    expect([ids[0], ids.at(-1)]).toEqual([1, 2]);
  });

  test('equal scores give no order of merges', async () => {
    await expect(importWith(arrays('llama', tokens, tokens.map(() => -1000)))).rejects.toThrow(/GGUF_TOKENIZER_UNSUPPORTED: [^]*all tokens have the same score/);
  });

  test('a score is missing', async () => {
    await expect(importWith(arrays('llama', tokens, scores.slice(1)))).rejects.toThrow(/1500 tokens, but 1499 scores/);
  });
});

describe('unigram', async () => {
  const { vocab } = tokenizerOf('test/fixtures/tokenizers/unigram-metaspace').model;
  const entries = arrays('t5', vocab.map(([token]) => token), vocab.map(([, score]) => score));
  const keys: MetadataEntry[] = [
    ['tokenizer.ggml.add_bos_token', 'bool', true],
    ['tokenizer.ggml.add_eos_token', 'bool', false],
    ['tokenizer.ggml.remove_extra_whitespaces', 'bool', true],
  ];

  test('gives the ids of the tokenizer that it came from where that changes no characters', async () => {
    const vectors = vectorsOf('unigram-metaspace').filter(({ text }) => text.normalize('NFKC') === text);
    expect(vectors.length).toBeGreaterThan(50);
    expectVectors(await loadTokenizer(await importWith([...entries, ...keys])), vectors);
  });

  test('a character map is refused', async () => {
    await expect(importWith([...entries, ['tokenizer.ggml.precompiled_charsmap', 'u8', [1, 2]]])).rejects.toThrow(/precompiled_charsmap rewrites characters/);
  });
});

describe('byte-level BPE', () => {
  const { model, added_tokens: added } = tokenizerOf('models/llama32/checkpoint');
  const byId = [...Object.entries(model.vocab), ...added.map(({ content, id }) => [content, id] as [string, number])];
  const tokens = byId.reduce<string[]>((list, [token, id]) => Object.assign(list, { [id]: token }), []);
  const special = new Set(added.map(({ content }) => content));
  const llama3 = (pre: string | undefined): MetadataEntry[] => [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ...(pre === undefined ? [] : [['tokenizer.ggml.pre', 'string', pre] as const]),
    ['tokenizer.ggml.tokens', 'string', tokens],
    ['tokenizer.ggml.token_type', 'i32', tokens.map((token) => (special.has(token) ? 3 : 1))],
    ['tokenizer.ggml.merges', 'string', model.merges.map((pair) => pair.join(' '))],
    ['tokenizer.ggml.bos_token_id', 'u32', tokens.indexOf('<|begin_of_text|>')],
    ['tokenizer.ggml.eos_token_id', 'u32', tokens.indexOf('<|end_of_text|>')],
    ['tokenizer.ggml.eot_token_id', 'u32', tokens.indexOf('<|eot_id|>')],
    ['tokenizer.ggml.eom_token_id', 'u32', tokens.indexOf('<|eot_id|>')],
    ['tokenizer.chat_template', 'string', '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}'],
  ];

  test('llama-bpe gives the ids of the reference', async () => {
    expectVectors(await loadTokenizer(await importWith(llama3('llama-bpe'))), vectorsOf('bpe-llama3'));
  });

  test('the end of a turn is found by its text where the file names no id', async () => {
    const unnamed = llama3('llama3').filter(([key]) => !/eo[tm]_token_id/.test(key));
    const { eos_token_id: stops } = JSON.parse(readFileSync(join(await importWith(unnamed), 'generation_config.json'), 'utf8')) as { eos_token_id: number[] };
    expect(stops).toEqual([4092, 4095]);
    const words = unnamed.map((entry): MetadataEntry => (entry[0] === 'tokenizer.ggml.token_type' ? [entry[0], entry[1], tokens.map((token) => (special.has(token) && token !== '<|eot_id|>' ? 3 : 1))] : entry));
    const others = JSON.parse(readFileSync(join(await importWith(words), 'generation_config.json'), 'utf8')) as { eos_token_id: number[] };
    expect(others.eos_token_id).toEqual([4092]);
  });

  test('roles and chat template', async () => {
    const folder = await importWith(llama3('llama3'));
    const generation = JSON.parse(readFileSync(join(folder, 'generation_config.json'), 'utf8')) as Record<string, unknown>;
    expect(generation).toEqual({ bos_token_id: 4091, eos_token_id: [4092, 4095] });
    const tokenizer = await loadTokenizer(folder);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenIds, [...tokenizer.specialTokenIds]]).toEqual([4091, [4092], [4091, 4092, 4093, 4094, 4095]]);
    expect(await tokenizer.renderChat([{ role: 'user', content: 'hi' }])).toBe('<|begin_of_text|>hi');
  });

  test('several chat templates keep their names', async () => {
    const folder = await importWith([...llama3('llama3'), ['tokenizer.chat_templates', 'string', ['rag']], ['tokenizer.chat_template.rag', 'string', 'R']]);
    const config = JSON.parse(readFileSync(join(folder, 'tokenizer_config.json'), 'utf8')) as { chat_template: { name: string }[] };
    expect(config.chat_template.map(({ name }) => name)).toEqual(['default', 'rag']);
    expect(await (await loadTokenizer(folder)).renderChat([{ role: 'user', content: 'hi' }])).toBe('<|begin_of_text|>hi');
  });

  const sentence = "I'LL pay 12345.\n\n  caf\u00e9";
  const digits = ['1', '2', '3', '4', '5'];
  test.each<[string, string[]]>([
    ['llama-bpe', ['I', "'LL", ' pay', ' ', '123', '45', '.\n\n', ' ', ' caf\u00e9']],
    ['dbrx', ['I', "'LL", ' pay', ' ', '123', '45', '.\n\n', ' ', ' caf\u00e9']],
    ['qwen2', ['I', "'LL", ' pay', ' ', ...digits, '.\n\n', ' ', ' caf\u00e9']],
    ['tekken', ['I', "'LL", ' pay', ' ', ...digits, '.\n\n', ' ', ' caf\u00e9']],
    ['gpt-2', ['I', "'", 'LL', ' pay', ' 12345', '.', '\n\n ', ' caf\u00e9']],
    ['smollm', ['I', "'", 'LL', ' pay', ' ', ...digits, '.', '\n\n ', ' caf\u00e9']],
    ['deepseek-coder', ['I', "'", 'LL', ' pay', ' ', ...digits, '.', '\n', '\n', ' ', ' caf\u00e9']],
  ])('%s cuts words as its models do', async (pre, words) => {
    const folder = await importWith(llama3(pre));
    const json = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')) as object;
    const pipeline = new PipelineTokenizer(json, {});
    const written = words.map((word) => word.replaceAll(' ', '\u0120').replaceAll('\n', '\u010a').replaceAll('\u00e9', '\u00c3\u00a9'));
    expect(pipeline.pre_tokenizer?.pre_tokenize_text(sentence)).toEqual(written);
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.decode(tokenizer.encode(sentence, { addSpecialTokens: false }))).toBe(sentence);
    expect(tokenizer.encode(sentence)[0] === 4091).toBe(['llama-bpe', 'tekken'].includes(pre));
  });

  test('an unknown pre-tokenizer and a missing one are refused with the known ones', async () => {
    await expect(importWith(llama3('bloom'))).rejects.toThrow(/GGUF_TOKENIZER_UNSUPPORTED: [^]*unknown pre-tokenizer bloom; known: command-r dbrx [^]* tekken/);
    await expect(importWith(llama3(undefined))).rejects.toThrow(/tokenizer\.ggml\.pre is missing; known: command-r/);
  });
});
